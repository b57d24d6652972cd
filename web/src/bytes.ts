/** Bytes of a store over HTTP: whole files and ranges of them. */

import type { AbsolutePath, RangeQuery } from 'zarrita';

/** Told once if the server sends whole files where a range was asked for. */
export type RangeTrouble = () => void;

/** A read-only Zarr store below an address; a missing key is undefined. */
export class HttpStore {
  private readonly base: string;

  constructor(
    url: string,
    private readonly trouble: RangeTrouble,
  ) {
    this.base = new URL(url.endsWith('/') ? url : `${url}/`, document.baseURI).href;
  }

  async get(key: AbsolutePath): Promise<Uint8Array | undefined> {
    const response = await fetch(this.base + key.slice(1));
    return (await answered(response)) ? bytes(response) : undefined;
  }

  async getRange(key: AbsolutePath, range: RangeQuery): Promise<Uint8Array | undefined> {
    const suffix = 'suffixLength' in range;
    const asked = suffix
      ? `-${range.suffixLength}`
      : `${range.offset}-${range.offset + range.length - 1}`;
    // The browser's cache answers ranges of one file one after the other: it is passed by.
    const response = await fetch(this.base + key.slice(1), {
      headers: { Range: `bytes=${asked}` },
      cache: 'no-store',
    });
    if (!(await answered(response))) return undefined;
    const content = await bytes(response);
    if (response.status === 206) return content;
    this.trouble();
    return suffix
      ? content.slice(-range.suffixLength)
      : content.slice(range.offset, range.offset + range.length);
  }
}

async function bytes(response: Response): Promise<Uint8Array> {
  return new Uint8Array(await response.arrayBuffer());
}

/** Whether there is an answer with content; false for a missing file. */
async function answered(response: Response): Promise<boolean> {
  if (response.ok) return true;
  if (response.status === 404) return false;
  throw new Error(`the server answered ${response.status} for ${new URL(response.url).pathname}`);
}
