// The part of the vendored uPlot that the page uses.
export interface Size {
  width: number;
  height: number;
}

export default class uPlot {
  constructor(options: Size & Record<string, unknown>, data: unknown, place: HTMLElement);
  setData(data: unknown): void;
  setSize(size: Size): void;
  destroy(): void;
}
