/** Responses over plain HTTP, independent of the web framework. */
import { type ErrorCode, errors, type Refusal, retryOf } from '../../protocol/errors.ts';
import { errorMessage } from '../handle-message.ts';

/** A response. `body` is JSON text; `refused` is the code if the whole request is refused, `retry` the delay before a retry (ms). */
export type HttpAnswer = { status: number; body: string; refused?: ErrorCode; retry?: number | undefined };

export const refusalAnswer = (refusal: Refusal): HttpAnswer => ({
  status: errors[refusal.refused].status,
  body: JSON.stringify(errorMessage(refusal)),
  refused: refusal.refused,
  retry: retryOf(refusal),
});
