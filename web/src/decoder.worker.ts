/**
 * Decoder: decompresses chunks beside the page.
 *
 * The codecs build functions from strings, which the page's own policy forbids; this worker may,
 * and reaches nothing but the codecs' files.
 */

import type { Codec } from 'numcodecs';

export interface Job {
  id: number;
  codec: keyof typeof CODECS;
  config: unknown;
  bytes: Uint8Array;
}

export type Done = { id: number; bytes: Uint8Array } | { id: number; error: string };

interface Maker {
  fromConfig(config: unknown): Codec;
}

// By path: under their names, vite.config.js puts `remote.ts` in the place of these.
const CODECS = {
  blosc: () => import('../node_modules/numcodecs/dist/blosc.js'),
  lz4: () => import('../node_modules/numcodecs/dist/lz4.js'),
  zstd: () => import('../node_modules/numcodecs/dist/zstd.js'),
};

const makers = new Map<string, Promise<Maker>>();

function makerOf(codec: keyof typeof CODECS): Promise<Maker> {
  let maker = makers.get(codec);
  if (!maker) {
    maker = CODECS[codec]().then((module) => module.default as unknown as Maker);
    makers.set(codec, maker);
  }
  return maker;
}

// The codec of our own stores is likely to be needed: load it before the first chunk is there.
void makerOf('zstd').catch(() => undefined);

const post = (done: Done, transfer: Transferable[] = []) =>
  (self as unknown as Worker).postMessage(done, transfer);

self.onmessage = async ({ data: { id, codec, config, bytes } }: MessageEvent<Job>) => {
  try {
    const decoded = await (await makerOf(codec)).fromConfig(config).decode(bytes);
    post({ id, bytes: decoded }, [decoded.buffer]);
  } catch (error) {
    post({ id, error: String(error) });
  }
};
