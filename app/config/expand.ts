/** Variables in the text of a settings file: `${NAME}`, `${NAME:-default}` and uWSGI's `$(NAME)`; `$${` stands for `${`. */

export type Environment = Record<string, string | undefined>;

const variable = /\$\$(?=[{(])|\$\{([^{}]*)\}|\$\(([^()]*)\)|\$[{(]/g;
/** For the JSON Schema: a value that becomes known only when it is expanded. */
export const holdsVariable = String.raw`\$[{(]`;

/** The text with its variables' values, whether it had any, and what is wrong with them. */
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
      faults.push(`the environment has no ${name}; write \${${name}:-default} if it may be absent`);
    // As in a shell, :- stands in for an empty value too.
    return (fallback === undefined ? value : value || fallback) ?? '';
  });
  return { text: expanded, had, faults };
};
