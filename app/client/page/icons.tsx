/** The page's pictograms: drawn in the colour of the text beside them, and silent to screen readers. */

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
  send: 'M4 12l16-7-5 15-3.5-6.5L4 12Z',
} as const;

export type IconName = keyof typeof shapes;

export const Icon = ({ name }: { name: IconName }) => (
  <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
    <path d={shapes[name]} />
  </svg>
);
