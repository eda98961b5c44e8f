/** The page's icons: drawn in the text colour, hidden from screen readers. */

const shapes = {
  gate: 'M4 21V4h16v17 M4 9h16 M12 9v12 M14.8 15h.01',
  microphone: 'M12 3a3 3 0 0 0-3 3v6a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3Z M5.5 11.5a6.5 6.5 0 0 0 13 0 M12 18v3',
  'microphone-off':
    'M9 9v3a3 3 0 0 0 4.6 2.5 M15 11V6a3 3 0 0 0-5.7-1.3 M5.5 11.5a6.5 6.5 0 0 0 10 5.5 M18.5 11.5a6.5 6.5 0 0 1-.6 2.7 M12 18v3 M4 4l16 16',
  camera:
    'M4 6.5h10a1.5 1.5 0 0 1 1.5 1.5v8a1.5 1.5 0 0 1-1.5 1.5H4A1.5 1.5 0 0 1 2.5 16V8A1.5 1.5 0 0 1 4 6.5Z M15.5 11l6-3.5v9l-6-3.5',
  'camera-off':
    'M8.5 6.5H14A1.5 1.5 0 0 1 15.5 8v5.5 M15.2 16.8a1.5 1.5 0 0 1-1.2.7H4A1.5 1.5 0 0 1 2.5 16V8A1.5 1.5 0 0 1 4 6.5 M15.5 11l6-3.5v9l-4-2.3 M4 4l16 16',
  chat: 'M4 5h16a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1h-9l-5 4v-4H4a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1Z',
  link: 'M10 14a4 4 0 0 0 5.7 0l3.5-3.5a4 4 0 0 0-5.7-5.7l-1 1 M14 10a4 4 0 0 0-5.7 0l-3.5 3.5a4 4 0 0 0 5.7 5.7l1-1',
  leave: 'M10 4H6a1 1 0 0 0-1 1v14a1 1 0 0 0 1 1h4 M15 8l4 4-4 4 M19 12H10',
  close: 'M6 6l12 12 M18 6L6 18',
  people:
    'M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7Z M2.5 20a6.5 6.5 0 0 1 13 0 M16 4.3a3.5 3.5 0 0 1 0 6.4 M18 14.2a6.5 6.5 0 0 1 3.5 5.8',
  screen:
    'M4 4.5h16a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1v-10a1 1 0 0 1 1-1Z M8 20h8 M12 13.5v-6 M9.2 10.2 12 7.4l2.8 2.8',
  hand: 'M7 12V6.2a1.4 1.4 0 0 1 2.8 0V11 M9.8 10.5V4.4a1.4 1.4 0 0 1 2.8 0v6 M12.6 10.5V5.4a1.4 1.4 0 0 1 2.8 0V12 M15.4 11V7.9a1.4 1.4 0 0 1 2.8 0V14a7 7 0 0 1-7 7c-2.6 0-4-1-5.4-3l-2.6-4a1.5 1.5 0 0 1 2.4-1.7L7 14',
  more: 'M4.5 12a.5.5 0 1 0 1 0 .5.5 0 1 0-1 0Z M11.5 12a.5.5 0 1 0 1 0 .5.5 0 1 0-1 0Z M18.5 12a.5.5 0 1 0 1 0 .5.5 0 1 0-1 0Z',
  lock: 'M6 11h12a1 1 0 0 1 1 1v8a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1v-8a1 1 0 0 1 1-1Z M8 11V7.5a4 4 0 0 1 8 0V11',
  pin: 'M9 3.5h6 M10 3.5v6L7 13v1.5h10V13l-3-3.5v-6 M12 14.5V21',
  'full-screen': 'M4 9V4h5 M15 4h5v5 M20 15v5h-5 M9 20H4v-5',
  floating: 'M21 11V6a1 1 0 0 0-1-1H4a1 1 0 0 0-1 1v11a1 1 0 0 0 1 1h6 M14 14h7v5h-7Z',
  settings:
    'M4 7h9 M17 7h3 M4 17h3 M11 17h9 M15 9.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5Z M9 19.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5Z',
  language: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Z M3.5 9h17 M3.5 15h17 M12 3c-5 5-5 13 0 18 M12 3c5 5 5 13 0 18',
  keys: 'M4 6h16a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V7a1 1 0 0 1 1-1Z M7 10h.01 M11 10h.01 M15 10h.01 M8 14h8',
  attach: 'M20 11.5 12.3 19a5 5 0 0 1-7.1-7L13 4.4a3.4 3.4 0 0 1 4.8 4.8l-7.5 7.4a1.7 1.7 0 0 1-2.4-2.4L14.5 7.700',
  send: 'M4 12l16-7-5 15-3.5-6.5L4 12Z',
} as const;

export type IconName = keyof typeof shapes;

/** Mirrored in right-to-left languages. */
const directed: readonly IconName[] = ['leave', 'send', 'chat'];

export const Icon = ({ name }: { name: IconName }) => (
  <svg
    class={directed.includes(name) ? 'icon directed' : 'icon'}
    viewBox="0 0 24 24"
    aria-hidden="true"
    focusable="false"
  >
    <path d={shapes[name]} />
  </svg>
);
