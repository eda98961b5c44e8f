/** Names for files that are moved into place once they are complete. */
import { randomBytes } from 'node:crypto';

/**
 * A name beside the file that nobody can prepare a link at. Whoever creates it must also insist that it is new: `wx` (O_EXCL)
 * does not follow links, nor does bind(2).
 */
export const temporaryName = (file: string): string => `${file}.${randomBytes(4).toString('hex')}`;
