/** How loud streams are, and a sound to try a speaker with. */

let shared: AudioContext | undefined;
let users = 0;

/**
 * One context for the whole page, which stands still while nobody needs it: one that runs takes a thread of its own that must never
 * wait. Browsers let it run once the person has touched something.
 */
const borrow = (): { audio: AudioContext; giveBack(): void } => {
  const audio = shared ?? new AudioContext();
  const run = () => void (users > 0 && audio.resume());
  if (!shared) for (const event of ['pointerdown', 'keydown']) addEventListener(event, run, { once: true });
  shared = audio;
  users += 1;
  run();
  return {
    audio,
    giveBack() {
      users -= 1;
      if (users === 0) void audio.suspend();
    },
  };
};

export type Ear = { level(): number; close(): void };

/** Listens to the sound of a stream: `level` is from 0, silence, to 1, as loud as it can be. */
export const listenTo = (stream: MediaStream): Ear => {
  const { audio, giveBack } = borrow();
  const source = audio.createMediaStreamSource(stream);
  const analyser = audio.createAnalyser();
  analyser.fftSize = 512;
  source.connect(analyser);
  const samples = new Uint8Array(analyser.fftSize);
  return {
    level: () => {
      analyser.getByteTimeDomainData(samples);
      return loudness(samples);
    },
    close: () => {
      source.disconnect();
      giveBack();
    },
  };
};

/** The root mean square of samples around 128, on the scale of the ear. */
export const loudness = (samples: Uint8Array): number => {
  let sum = 0;
  for (const sample of samples) sum += ((sample - 128) / 128) ** 2;
  return heard(Math.sqrt(sum / samples.length));
};

/** A linear volume, 0 to 1, on a scale that follows the ear: −60 dB is 0. */
export const heard = (volume: number): number => Math.min(1, Math.max(0, 1 + Math.log10(volume) / 3));

/** Plays two soft notes, on the speaker with this id; '' = the system's. Resolves when they are over. */
export const playNotes = async (speaker: string): Promise<void> => {
  const { audio, giveBack } = borrow();
  const out = audio.createMediaStreamDestination();
  const player = new Audio();
  player.srcObject = out.stream;
  try {
    if (speaker !== '' && 'setSinkId' in player) await player.setSinkId(speaker).catch(() => {});
    await audio.resume();
    await player.play();
    const begin = audio.currentTime + 0.05;
    const last = [523.25, 659.25].map((hertz, index) => note(audio, out, hertz, begin + index * 0.35)).at(-1);
    await new Promise((resolve) => last?.addEventListener('ended', resolve, { once: true }));
  } finally {
    player.srcObject = null;
    giveBack();
  }
};

const note = (audio: AudioContext, out: AudioNode, hertz: number, at: number): OscillatorNode => {
  const tone = audio.createOscillator();
  const volume = audio.createGain();
  tone.frequency.value = hertz;
  volume.gain.setValueAtTime(0, at);
  volume.gain.linearRampToValueAtTime(0.3, at + 0.03);
  volume.gain.exponentialRampToValueAtTime(0.001, at + 0.6);
  tone.connect(volume).connect(out);
  tone.start(at);
  tone.stop(at + 0.65);
  return tone;
};

/** Below this it is the hum of a room, not a voice. */
const voice = 0.35;

/**
 * Who speaks, given how loud everyone is: the loudest above the hum. Whoever spoke last stays while nobody is clearly
 * louder, so that two who talk at once do not flicker.
 */
export const speakerOf = (levels: ReadonlyMap<string, number>, before: string | undefined): string | undefined => {
  const loudest = [...levels].reduce<[string, number]>((best, each) => (each[1] > best[1] ? each : best), ['', voice]);
  if (loudest[0] === '') return undefined;
  const still = before === undefined ? 0 : (levels.get(before) ?? 0);
  return still > voice && loudest[1] - still < 0.1 ? before : loudest[0];
};
