/** Icons, drawn as lines on a grid of 16. */

const PATHS = {
  fit: 'M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4',
  link: 'M6.4 9.6l3.2-3.2M7 4.6l1.6-1.6a3 3 0 0 1 4.3 4.3L11.4 9M9 11.4 7.4 13a3 3 0 0 1-4.3-4.3L4.6 7',
  settings: 'M1 4h7M13 4h2M1 12h2M8 12h7M8 4a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0-5 0M3 12a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0-5 0',
  play: 'M4.5 2.5v11l8.5-5.5z',
  pause: 'M5 3v10M11 3v10',
  swap: 'M1 5h13M10.5 1.5 14 5l-3.5 3.5M15 11H2M5.5 7.5 2 11l3.5 3.5',
} as const;

const SVG = 'http://www.w3.org/2000/svg';

export function icon(name: keyof typeof PATHS): SVGElement {
  const drawing = document.createElementNS(SVG, 'svg');
  drawing.setAttribute('viewBox', '0 0 16 16');
  drawing.setAttribute('class', 'icon');
  drawing.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', PATHS[name]);
  drawing.append(path);
  return drawing;
}
