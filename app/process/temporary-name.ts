/** Temporary names for files that are renamed into place once complete. */
import { randomBytes } from 'node:crypto';

/**
 * An unpredictable name in the same directory, so that no one can place a link there in advance. The caller must also create it
 * exclusively: `wx` (O_EXCL) does not follow links, nor does bind(2).
 */
export const temporaryName = (file: string): string => `${file}.${randomBytes(4).toString('hex')}`;
