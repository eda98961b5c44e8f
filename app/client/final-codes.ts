/** The close codes after which nobody comes back by itself, and the errors that they stand for. */
import { type ErrorCode, errors } from '../protocol/errors.ts';

export const finalCloseCodes: { [close: number]: ErrorCode } = Object.fromEntries(
  Object.entries(errors).flatMap(([code, fate]) =>
    'close' in fate && fate.close >= 4500 ? [[fate.close, code as ErrorCode]] : [],
  ),
);
