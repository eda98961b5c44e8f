/** The close codes after which a client must not reconnect automatically, and their error codes. */
import { type ErrorCode, errors } from '../protocol/errors.ts';

export const finalCloseCodes: { [close: number]: ErrorCode } = Object.fromEntries(
  Object.entries(errors).flatMap(([code, definition]) =>
    'close' in definition && definition.close >= 4500 ? [[definition.close, code as ErrorCode]] : [],
  ),
);
