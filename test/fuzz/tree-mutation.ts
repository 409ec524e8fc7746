import type { Random } from './random.ts';

const VALUES: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1,
  1.5,
  2 ** 31,
  2 ** 53,
  -(2 ** 53),
  1e308,
  '',
  ' ',
  '\0',
  '\u001b[2J',
  '\ud800',
  '\u202e',
  '__proto__',
  '🔑',
  '1',
  '-1',
  'null',
  '../..',
  '1970-01-01T00:00:00Z',
  '9999-12-31T23:59:59.999Z',
  'x'.repeat(300),
  'é'.repeat(5_000),
  [],
  {},
  [[]],
  [null],
  { a: 1 },
];

/** Changes one node of a tree: leaves it out, takes it twice, gives it another name, value, place or depth. */
export function changeTree(random: Random, tree: unknown, words: readonly string[]): unknown {
  const places = placesOf(tree);
  const place = random.pick(places);
  if (place === undefined) return otherValue(random, tree, words);
  const { holder, key } = place;
  const value = holder[key];
  switch (random.int(8)) {
    case 0:
      if (Array.isArray(holder)) holder.splice(Number(key), 1);
      else delete holder[key];
      break;
    case 1:
      holder[key] = otherValue(random, value, words);
      break;
    case 2: {
      const name = words.length > 0 && random.chance(0.7) ? random.pick(words) : String(random.pick(VALUES));
      if (!Array.isArray(holder)) define(holder, name, value);
      break;
    }
    case 3: {
      const from = random.pick(places);
      holder[key] = structuredClone(from.holder[from.key]);
      break;
    }
    case 4:
      holder[key] = random.chance(0.5) ? [value] : { [key]: value };
      break;
    case 5:
      if (Array.isArray(holder))
        holder.push(...Array.from({ length: random.pick([1, 3, 70]) }, () => structuredClone(value)));
      else
        for (let count = 0; count < random.pick([1, 3, 70]); count += 1)
          define(holder, `${key}${count}`, value);
      break;
    case 6: {
      let deep: unknown = value;
      for (let depth = random.pick([2, 10, 31, 33, 200]); depth > 0; depth -= 1)
        deep = random.chance(0.5) ? [deep] : { a: deep };
      holder[key] = deep;
      break;
    }
    default:
      holder[key] = words.length > 0 ? random.pick(words) : random.pick(VALUES);
  }
  return tree;
}

/** `__proto__` too is a name like any other. */
function define(holder: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(holder, name, { value, enumerable: true, configurable: true, writable: true });
}

function otherValue(random: Random, value: unknown, words: readonly string[]): unknown {
  if (typeof value === 'string' && random.chance(0.4)) {
    const at = random.int(value.length + 1);
    return `${value.slice(0, at)}${random.chance(0.5) && words.length > 0 ? random.pick(words) : String.fromCharCode(random.int(0x300))}${value.slice(at + random.int(3))}`;
  }
  if (typeof value === 'number' && random.chance(0.4))
    return value + random.pick([-1, 1, 0.5, 2 ** 40, -(2 ** 40)]);
  return structuredClone(random.pick(VALUES));
}

interface Place {
  readonly holder: Record<string, unknown>;
  readonly key: string;
}

function placesOf(tree: unknown): Place[] {
  const places: Place[] = [];
  const visit = (node: unknown, depth: number): void => {
    if (typeof node !== 'object' || node === null || depth > 300 || places.length > 5_000) return;
    const holder = node as Record<string, unknown>;
    for (const key of Object.keys(holder)) {
      places.push({ holder, key });
      visit(holder[key], depth + 1);
    }
  };
  visit(tree, 0);
  return places;
}
