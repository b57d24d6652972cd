/** Codecs of Zarr whose work is done by the decoder's workers, each job by the one that waits. */

import type { Done, Job } from './decoder.worker';

const WORKERS = Math.min(4, Math.max(1, (navigator.hardwareConcurrency || 2) - 1));

interface Waiting {
  resolve: (bytes: Uint8Array) => void;
  reject: (error: Error) => void;
}

interface Lane {
  worker: Worker;
  jobs: Map<number, Waiting>;
}

const lanes: Lane[] = [];

started();

let lastId = 0;

/** What Zarr's registry holds for a codec of this name. */
export function remote(codec: Job['codec']) {
  return {
    fromConfig: (config: unknown) => ({
      decode: (bytes: Uint8Array) => decode({ codec, config, bytes }),
      encode: () => Promise.reject(new Error('this page writes nothing')),
    }),
  };
}

function decode(job: Omit<Job, 'id'>): Promise<Uint8Array> {
  const { worker, jobs } = idlest();
  return new Promise((resolve, reject) => {
    const id = ++lastId;
    jobs.set(id, { resolve, reject });
    worker.postMessage({ id, ...job });
  });
}

function idlest(): Lane {
  const free = lanes.find((lane) => lane.jobs.size === 0);
  if (free) return free;
  if (lanes.length < WORKERS) return started();
  return lanes.reduce((a, b) => (b.jobs.size < a.jobs.size ? b : a));
}

function started(): Lane {
  const lane: Lane = {
    worker: new Worker(new URL('./decoder.worker.ts', import.meta.url), { type: 'module' }),
    jobs: new Map(),
  };
  lane.worker.onmessage = ({ data }: MessageEvent<Done>) => {
    const waiting = lane.jobs.get(data.id)!;
    lane.jobs.delete(data.id);
    if ('bytes' in data) waiting.resolve(data.bytes);
    else waiting.reject(new Error(data.error));
  };
  lane.worker.onerror = (event) => {
    const error = new Error(`the decoder did not start: ${event.message ?? 'it cannot be loaded'}`);
    for (const waiting of lane.jobs.values()) waiting.reject(error);
    lane.jobs.clear();
  };
  lanes.push(lane);
  return lane;
}
