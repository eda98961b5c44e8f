/** Variables in the text of a settings file: `${NAME}`, `${NAME:-default}` and uWSGI's `$(NAME)`; `$${` stands for `${`. */

export type Environment = Record<string, string | undefined>;

const variable = /\$\$(?=[{(])|\$\{([^{}]*)\}|\$\(([^()]*)\)|\$[{(]/g;
/** For the JSON Schema: matches a value that contains a variable, and so cannot be checked before expansion. */
export const holdsVariable = String.raw`\$[{(]`;

/** The expanded text, whether it contained variables, and the faults in them. */
export const expand = (text: string, environment: Environment): { text: string; had: boolean; faults: string[] } => {
  const faults: string[] = [];
  let had = false;
  const expanded = text.replace(variable, (whole: string, braced?: string, round?: string) => {
    if (whole === '$$') return '$';
    had = true;
    const [, name, fallback] = /^([A-Za-z_]\w*)(?::-(.*))?$/s.exec(braced ?? round ?? '') ?? [];
    const value = name === undefined ? undefined : environment[name];
    if (name === undefined || (round !== undefined && fallback !== undefined))
      faults.push(`"${whole}" is not understood; write \${NAME} or \${NAME:-default}`);
    else if (value === undefined && fallback === undefined)
      faults.push(`the environment variable ${name} is not set; write \${${name}:-default} if it may be absent`);
    // As in a shell, :- also replaces an empty value.
    return (fallback === undefined ? value : value || fallback) ?? '';
  });
  return { text: expanded, had, faults };
};
