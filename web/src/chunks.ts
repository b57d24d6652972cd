/** Decoded chunks of arrays, kept up to a budget of bytes. */

import type { Array as ZarrArray, DataType, Readable } from 'zarrita';

export type Pixels = Uint8Array | Uint16Array | Int16Array | Float32Array | Float64Array;

export interface Chunk {
  data: Pixels;
  stride: number[];
}

export type PixelArray = ZarrArray<DataType, Readable>;

const BUDGET_BYTES = 256 * 2 ** 20;

const pending = new Map<string, Promise<Chunk>>();
const kept = new Map<string, Chunk>();
let keptBytes = 0;

/** The chunk at these chunk coordinates; read once while it is asked for or kept. */
export function chunk(array: PixelArray, owner: string, where: number[]): Promise<Chunk> {
  const key = keyOf(array, owner, where);
  const found = kept.get(key);
  if (found) {
    kept.delete(key);
    kept.set(key, found);
    return Promise.resolve(found);
  }
  let coming = pending.get(key);
  if (!coming) {
    coming = read(array, where)
      .then((loaded) => keep(key, loaded))
      .finally(() => pending.delete(key));
    pending.set(key, coming);
  }
  return coming;
}

/** The chunk if it is kept, else undefined; never reads. */
export function keptChunk(array: PixelArray, owner: string, where: number[]): Chunk | undefined {
  return kept.get(keyOf(array, owner, where));
}

function keyOf(array: PixelArray, owner: string, where: number[]): string {
  return `${owner}${array.path}/${where.join('/')}`;
}

async function read(array: PixelArray, where: number[]): Promise<Chunk> {
  const { data, stride } = await array.getChunk(where);
  return { data: numbers(data), stride };
}

function keep(key: string, loaded: Chunk): Chunk {
  kept.set(key, loaded);
  keptBytes += loaded.data.byteLength;
  for (const [oldest, old] of kept) {
    if (keptBytes <= BUDGET_BYTES || oldest === key) break;
    kept.delete(oldest);
    keptBytes -= old.data.byteLength;
  }
  return loaded;
}

/** Pixels that arithmetic can use: 64-bit integers and booleans become what a texture holds. */
function numbers(data: unknown): Pixels {
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    return Float32Array.from(data as Iterable<bigint>, Number);
  }
  if (ArrayBuffer.isView(data)) return data as Pixels;
  return Uint8Array.from(data as Iterable<boolean>, Number);
}
