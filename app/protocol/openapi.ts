/** The plain HTTP transport as an OpenAPI document, https://spec.openapis.org/oas/v3.1.1 */
import { z } from 'zod';
import { type ErrorCode, errors, fateOf } from './errors.ts';
import { clientExamples, serverExamples } from './examples.ts';
import { components, type Json, namesIn, refTo } from './json-schemas.ts';
import {
  ack,
  clientMessage,
  error,
  eventsAnswer,
  inside,
  join,
  joined,
  pong,
  protocolVersion,
  roomName,
  seen,
  waiting,
} from './messages.ts';

const replies = z.object({ messages: z.array(z.discriminatedUnion('type', [ack, pong, error])) });
const bodies = {
  joinBody: join.omit({ type: true }),
  posted: z.union([clientMessage, z.array(clientMessage).min(1)]),
  replies,
  entered: z.discriminatedUnion('type', [joined, waiting]),
  eventsAnswer,
  refusal: z.union([error, replies]),
  seen,
  inside,
};

/** @param source the text of messages.ts */
export const openApi = (source: string): Json => {
  const names = namesIn(source, bodies);
  const body = (name: keyof typeof bodies, example?: Json) => ({
    content: { 'application/json': { schema: refTo(bodies[name], names), ...(example ? { example } : {}) } },
  });
  const { type: _, ...joinExample } = { ...clientExamples.join };
  return {
    openapi: '3.1.1',
    info: {
      title: 'Genkan: a room over plain HTTP',
      version: protocolVersion,
      license: { name: 'MIT', identifier: 'MIT' },
      description: [
        'Join, then ask for events again and again, and post messages meanwhile. A request may be refused with any error;',
        'which ones it can meet follows from their sentences. Where `messages` accepts nothing, its status is that of the',
        'first refusal, and its body has all of them.',
      ].join(' '),
    },
    security: [{ session: [] }],
    paths: {
      '/rooms/{room}/join': operation('post', 'join', 'Enters the room, or takes a session up again.', {
        security: [{}, { token: [] }],
        requestBody: body('joinBody', joinExample),
        responses: {
          200: { description: 'Inside, or waiting to be let in.', ...body('entered', serverExamples.joined) },
        },
      }),
      '/rooms/{room}/messages': operation('post', 'say', 'Says one thing or several, in order.', {
        requestBody: { required: true, ...body('posted', clientExamples.chat) },
        responses: {
          200: {
            description: 'The acknowledgements and errors; at least one message was not refused.',
            ...body('replies'),
          },
        },
      }),
      '/rooms/{room}/events': operation('get', 'hear', 'What came after an event; waits for something to come.', {
        parameters: eventsQuery,
        responses: { 200: eventsAs(body('eventsAnswer')) },
      }),
      '/rooms/{room}/leave': operation('post', 'leave', 'Leaves the room.', {
        responses: { 204: { description: 'The session is over.' } },
      }),
      '/rooms/{room}/inside': operation(
        'get',
        'inside',
        'Who is inside, as far as the server tells before one enters.',
        {
          security: [{}, { token: [] }],
          responses: { 200: { description: 'Nothing, how many, or also who.', ...body('inside') } },
        },
      ),
      '/rooms/{room}/seen': operation('get', 'seen', 'How this request arrives, to find what changes it on its way.', {
        security: [{}],
        responses: { 200: { description: 'As the app sees its caller.', ...body('seen') } },
      }),
    },
    components: {
      securitySchemes: {
        session: { type: 'http', scheme: 'bearer', description: 'The `session` of the answer to `join`.' },
        token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'Where it is not in the body.' },
      },
      parameters: { room: { name: 'room', in: 'path', required: true, schema: refTo(roomName, names) } },
      responses: Object.fromEntries(
        byStatus.map(([status, codes]) => [status, { ...refusalsFor(codes), ...body('refusal') }]),
      ),
      schemas: components([roomName, ...Object.values(bodies)], names),
    },
  };
};

const eventsQuery = [
  { name: 'after', in: 'query', required: true, schema: { type: 'integer', minimum: 0 } },
  {
    name: 'wait',
    in: 'query',
    description: 'Seconds; the server may wait for less.',
    schema: { type: 'number', minimum: 0, default: 0 },
  },
  {
    name: 'Last-Event-ID',
    in: 'header',
    description: 'Of a stream that comes back; it goes before `after`.',
    schema: { type: 'integer', minimum: 0 },
  },
];

/** A stream has one message in the data of each event, and `bye` before its end. */
const eventsAs = ({ content }: { content: Json }): Json => ({
  description: 'Ask next after the number in `seq`. A stream, when `Accept` asks for one, goes on by itself.',
  content: {
    ...content,
    'text/event-stream': {
      schema: { type: 'string' },
      example: `id: ${serverExamples.chat?.seq}\ndata: ${JSON.stringify(serverExamples.chat)}\n\n`,
    },
  },
});

/** Every operation lists all errors, so that a new one cannot be forgotten. */
const operation = (
  method: 'get' | 'post',
  operationId: string,
  summary: string,
  { responses, ...rest }: Operation,
) => ({
  parameters: [{ $ref: '#/components/parameters/room' }],
  [method]: {
    operationId,
    summary,
    ...rest,
    responses: {
      ...responses,
      ...Object.fromEntries(byStatus.map(([status]) => [status, { $ref: `#/components/responses/${status}` }])),
    },
  },
});
type Operation = Json & { responses: Json };

/** Codes by status, without `left`, which is not an error. */
const byStatus: [string, ErrorCode[]][] = Object.entries(
  Object.groupBy(Object.keys(errors) as ErrorCode[], (code) => errors[code].status),
).filter(([status]) => Number(status) >= 400);

const refusalsFor = (codes: ErrorCode[]): Json => ({
  description: codes.map((code) => `- \`${code}\`: ${errors[code].message}`).join('\n'),
  ...(codes.some((code) => fateOf(code).retry) ? { headers: { 'Retry-After': retryAfter } } : {}),
});

const retryAfter = {
  description: 'Seconds after which to try again.',
  schema: { type: 'integer', minimum: 1 },
};
