/**
 * Stacks that name the lines of app/, also in the bundled program. Its source maps are read when a stack is needed: Node's
 * own --enable-source-maps reads all of them at start.
 */
import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { dirname, resolve } from 'node:path';

/** By file of the build; undefined if it has no source map that can be read. */
const maps = new Map<string, SourceMap | undefined>();

/** Formats each stack of this process from now on. */
export const mapStacks = (): void => {
  Error.prepareStackTrace = (error, frames) =>
    [String(error), ...frames.map((frame) => `    at ${mapFrame(`${frame}`)}`)].join('\n');
};

/** @param frame a line of a stack, such as `run (/opt/genkan/dist/main.cjs:12:3)`; frames in packages stay as they are */
export const mapFrame = (frame: string): string =>
  frame.replace(/([^\s()]+\.cjs):(\d+):(\d+)/, (position, file: string, line: string, column: string) => {
    const entry = mapOf(file)?.findEntry(Number(line) - 1, Number(column) - 1);
    // For a line without an entry, the one before it is returned.
    if (!entry || !('originalSource' in entry) || entry.generatedLine !== Number(line) - 1) return position;
    return `${resolve(dirname(file), entry.originalSource)}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  });

const mapOf = (file: string): SourceMap | undefined => {
  if (!maps.has(file)) maps.set(file, readMap(`${file}.map`));
  return maps.get(file);
};

const readMap = (file: string): SourceMap | undefined => {
  try {
    return new SourceMap(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return undefined;
  }
};
