/** Readout: where the pointer is, and the values there. */

import { plain } from './controls';
import type { Picture, Plane } from './picture';

/** A picture on the stage: its plane, and how many world units its pixels take. */
export interface Seen {
  picture: Picture;
  plane: Plane;
  pixel: number;
}

/**
 * What to say of a place of the world: its pixel in the first picture and every picture's values,
 * from the level that is drawn at this resolution (or the nearest one that is loaded).
 */
export function readout(seen: readonly Seen[], at: [number, number], resolution: number): string {
  const { picture, pixel } = seen[0];
  const [column, row] = [Math.floor(at[0] / pixel), Math.floor(-at[1] / pixel)];
  if (column < 0 || row < 0 || column >= picture.size.x || row >= picture.size.y) return '';
  const values = seen.map((one) => valueOf(one, at, resolution) ?? '–').join('  |  ');
  return `x ${column}  y ${row}  ·  ${values}`;
}

function valueOf(
  { picture, plane, pixel }: Seen,
  at: [number, number],
  resolution: number,
): string | undefined {
  const far = (level: number) =>
    Math.abs(Math.log2((picture.levels[level].factor * pixel) / resolution));
  const nearestFirst = picture.levels.map((_, k) => k).sort((a, b) => far(a) - far(b));
  for (const level of nearestFirst) {
    const { factor, width, height } = picture.levels[level];
    const x = Math.min(width - 1, Math.floor(at[0] / (pixel * factor)));
    const y = Math.min(height - 1, Math.floor(-at[1] / (pixel * factor)));
    const values = picture.peek(level, plane, y, x);
    if (values) return values.map(plain).join(' ');
  }
  return undefined;
}
