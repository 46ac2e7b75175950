// The part of the vendored socket.io-client that the page uses.
export interface Socket {
  readonly connected: boolean;
  readonly io: { engine: { close(): void } };
  connect(): this;
  disconnect(): this;
  on(event: string, listener: (...args: any[]) => void): this;
  off(): this;
  emit(event: string, ...args: unknown[]): this;
}

export interface Options {
  transports: string[];
  autoConnect: boolean;
  reconnectionDelayMax: number;
}

export function io(options: Options): Socket;
export function io(url: string, options: Options): Socket;
