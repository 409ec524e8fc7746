const DRAWERS = ['lib', 'libs', 'util', 'utils', 'helper', 'helpers', 'misc', 'manager', 'managers'];
const MODULE = /\.(ts|mts|cts|js|mjs|cjs)$/;

/** Says what is wrong with the names of `files`: drawers for anything, barrels, and names not in kebab case. */
export function nameFaults(files: readonly string[]): string[] {
  return files.filter((file) => MODULE.test(file)).flatMap(faultsOf);
}

function faultsOf(file: string): string[] {
  const parts = file.replace(MODULE, '').split('/');
  const name = parts.at(-1) ?? '';
  const drawer = parts.find((part) => part.split(/[-.]/).some((word) => DRAWERS.includes(word)));
  return [
    ...(drawer === undefined ? [] : [`${file}: "${drawer}" names no idea; name the file after what it does`]),
    ...(name === 'index' ? [`${file}: no barrels; import from the file that has the thing`] : []),
    ...(/[A-Z_]/.test(name) ? [`${file}: file names are kebab-case`] : []),
  ];
}
