/** One line to the user, which goes away by itself. */

const SHOWN_MS = 8000;

let timer = 0;

export function say(text: string, kind: 'trouble' | 'note' = 'trouble'): void {
  const line = document.getElementById('message')!;
  line.textContent = text;
  line.classList.toggle('trouble', kind === 'trouble');
  line.hidden = false;
  window.clearTimeout(timer);
  timer = window.setTimeout(() => (line.hidden = true), SHOWN_MS);
}
