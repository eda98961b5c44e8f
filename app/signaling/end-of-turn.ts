/**
 * What is done once at the end of a turn of the event loop, after its reads. A store that writes and delivers then does so before the
 * sockets send, in the same turn.
 */

const tasks: (() => void)[] = [];

/** Runs the task at the end of this turn; one that is added by another task, right after it. */
export const atEndOfTurn = (task: () => void): void => {
  if (tasks.push(task) === 1) setImmediate(runTasks);
};

const runTasks = (): void => {
  let done = 0;
  try {
    for (const task of tasks) {
      done += 1;
      task();
    }
  } finally {
    // A task that fails does not keep the others from running.
    tasks.splice(0, done);
    if (tasks.length > 0) setImmediate(runTasks);
  }
};
