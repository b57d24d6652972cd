/** The page starts here. */

import type { Entry } from './gallery';
import { say } from './message';
import { Page } from './page';
import './style.css';

async function main(): Promise<void> {
  if (!document.createElement('canvas').getContext('webgl')) {
    throw new Error('This page draws with WebGL, which this browser does not offer.');
  }
  const answer = await fetch('stores.json');
  if (!answer.ok) throw new Error(`stores.json: the server answered ${answer.status}`);
  const { stores } = (await answer.json()) as { stores: Entry[] };
  await new Page(stores).start();
}

main().catch((error: Error) => say(error.message));
