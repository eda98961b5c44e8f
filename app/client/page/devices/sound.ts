/** Audio levels of streams, and a test sound for speakers. */

let shared: AudioContext | undefined;
let users = 0;

/**
 * One context for the page, suspended while unused: a running one occupies a real-time thread. Browsers let it run only after a user
 * gesture.
 */
const acquire = (): { audio: AudioContext; release(): void } => {
  const audio = shared ?? new AudioContext();
  const run = () => void (users > 0 && audio.resume());
  if (!shared) for (const event of ['pointerdown', 'keydown']) addEventListener(event, run, { once: true });
  shared = audio;
  users += 1;
  run();
  return {
    audio,
    release() {
      users -= 1;
      if (users === 0) void audio.suspend();
    },
  };
};

export type SoundMeter = { level(): number; close(): void };

/** Measures the audio level of a stream: `level` is from 0 (silence) to 1 (maximum). */
export const listenTo = (stream: MediaStream): SoundMeter => {
  const { audio, release } = acquire();
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
      release();
    },
  };
};

/** The root mean square of samples centred on 128, on a perceptual scale. */
export const loudness = (samples: Uint8Array): number => {
  let sum = 0;
  for (const sample of samples) sum += ((sample - 128) / 128) ** 2;
  return heard(Math.sqrt(sum / samples.length));
};

/** Maps a linear volume, 0 to 1, to a perceptual scale: −60 dB is 0. */
export const heard = (volume: number): number => Math.min(1, Math.max(0, 1 + Math.log10(volume) / 3));

/** Plays two soft notes on the speaker with this id; '' = the system's default. Resolves when they end. */
export const playNotes = async (speaker: string): Promise<void> => {
  const { audio, release } = acquire();
  const output = audio.createMediaStreamDestination();
  const player = new Audio();
  player.srcObject = output.stream;
  try {
    if (speaker !== '' && 'setSinkId' in player) await player.setSinkId(speaker).catch(() => {});
    await audio.resume();
    await player.play();
    const start = audio.currentTime + 0.05;
    const last = [523.25, 659.25]
      .map((hertz, index) => scheduleNote(audio, output, hertz, start + index * 0.35))
      .at(-1);
    await new Promise((resolve) => last?.addEventListener('ended', resolve, { once: true }));
  } finally {
    player.srcObject = null;
    release();
  }
};

const scheduleNote = (audio: AudioContext, output: AudioNode, hertz: number, at: number): OscillatorNode => {
  const tone = audio.createOscillator();
  const volume = audio.createGain();
  tone.frequency.value = hertz;
  volume.gain.setValueAtTime(0, at);
  volume.gain.linearRampToValueAtTime(0.3, at + 0.03);
  volume.gain.exponentialRampToValueAtTime(0.001, at + 0.6);
  tone.connect(volume).connect(output);
  tone.start(at);
  tone.stop(at + 0.65);
  return tone;
};

/** Levels below this are background noise, not a voice. */
const voiceThreshold = 0.35;

/**
 * The active speaker, given everyone's level: the loudest above the noise. The previous speaker stays until somebody is clearly
 * louder, so that the result does not flicker while two talk at once.
 */
export const speakerOf = (levels: ReadonlyMap<string, number>, previous: string | undefined): string | undefined => {
  const loudest = [...levels].reduce<[string, number]>(
    (best, each) => (each[1] > best[1] ? each : best),
    ['', voiceThreshold],
  );
  if (loudest[0] === '') return undefined;
  const previousLevel = previous === undefined ? 0 : (levels.get(previous) ?? 0);
  return previousLevel > voiceThreshold && loudest[1] - previousLevel < 0.1 ? previous : loudest[0];
};
