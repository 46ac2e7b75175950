/** A drawn scene as a camera: sky, hills, and a sea that moves; kinder to the eye than a test pattern. */

import { writeFile } from "node:fs/promises";

const WIDTH = 640;
const HEIGHT = 360;
const FRAMES = 40;

/** @typedef {[number, number, number]} Colour red, green, blue */
/** @typedef {{ sky: Colour[], sun: Colour, sunAt: [number, number], hills: Colour, sea: Colour[] }} Scene */

/** @type {Record<"morning" | "evening", Scene>} */
export const SCENES = {
  morning: {
    sky: [[214, 231, 240], [226, 237, 240], [240, 241, 234], [249, 240, 222]],
    sun: [255, 250, 236],
    sunAt: [455, 120],
    hills: [127, 160, 173],
    sea: [[86, 134, 158], [61, 109, 139], [38, 80, 112]],
  },
  evening: {
    sky: [[58, 64, 105], [106, 84, 121], [176, 106, 112], [226, 144, 104]],
    sun: [250, 206, 138],
    sunAt: [200, 175],
    hills: [61, 52, 84],
    sea: [[98, 80, 118], [66, 62, 102], [38, 44, 80]],
  },
};

/**
 * Writes a scene as a Y4M file, which Chromium plays in a loop.
 * @param {string} path
 * @param {Scene} scene
 * @param {1 | 4} [shrunk] how many times smaller; a quarter is quickly encoded
 */
export async function film(path, scene, shrunk = 1) {
  const frames = [Buffer.from(`YUV4MPEG2 W${WIDTH / shrunk} H${HEIGHT / shrunk} F20:1 Ip A1:1 C420mpeg2\n`)];
  for (let i = 0; i < FRAMES; i += 1) frames.push(Buffer.from("FRAME\n"), frame(scene, i / FRAMES, shrunk));
  await writeFile(path, Buffer.concat(frames));
}

/**
 * One frame in planar YUV 4:2:0, BT.601 in its limited range.
 * @param {Scene} scene
 * @param {number} phase 0 to 1, the whole loop
 * @param {number} shrunk
 */
function frame(scene, phase, shrunk) {
  const [width, height] = [WIDTH / shrunk, HEIGHT / shrunk];
  const luma = width * height;
  const planes = Buffer.alloc(luma * 1.5);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const [r, g, b] = colour(scene, x * shrunk, y * shrunk, phase);
      planes[y * width + x] = 16 + 0.257 * r + 0.504 * g + 0.098 * b;
      if (x % 2 || y % 2) continue;
      const at = luma + ((y / 2) * width) / 2 + x / 2;
      planes[at] = 128 - 0.148 * r - 0.291 * g + 0.439 * b;
      planes[at + luma / 4] = 128 + 0.439 * r - 0.368 * g - 0.071 * b;
    }
  }
  return planes;
}

/**
 * @param {Scene} scene
 * @param {number} x
 * @param {number} y
 * @param {number} phase
 * @returns {Colour}
 */
function colour({ sky, sun, sunAt, hills, sea }, x, y, phase) {
  const turn = 2 * Math.PI;
  for (let layer = sea.length - 1; layer >= 0; layer -= 1) {
    const way = layer % 2 ? -1 : 1;
    const swell = (5 + 3 * layer) * Math.sin((turn * x) / (160 + 60 * layer) + way * turn * phase + layer);
    if (y > 225 + 42 * layer + swell) return sea[layer];
  }
  if (y > 190 - 26 * Math.sin(x / 90) - 12 * Math.sin(x / 37 + 2)) return hills;
  if (Math.hypot(x - sunAt[0], y - sunAt[1]) < 38) return sun;
  return sky[Math.min(sky.length - 1, Math.floor((y / 200) * sky.length))];
}
