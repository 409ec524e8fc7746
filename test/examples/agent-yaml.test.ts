import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { AgentConfig } from '../../schemas/agent-config.ts';
import { parseYaml } from '../../system/yaml-document.ts';

const text = readFileSync(new URL('../../examples/agent.yaml', import.meta.url), 'utf8');

/** With the "# " taken from every key that is commented out. */
const whole = text.replaceAll(/^( *)# ( *(?:[a-z_]+:(?: .*)?|- .*))$/gm, '$1$2');

function configOf(yaml: string): AgentConfig {
  const parsed = parseYaml(yaml, AgentConfig);
  if (parsed.kind !== 'valid') throw new Error(JSON.stringify(parsed.problems, null, 2));
  return parsed.value;
}

describe('examples/agent.yaml', () => {
  it('says of every default what it is', () => {
    const shortest = `version: 1
tenant: acme
source: { url: https://git.example/flows/acme.git }
trust: { root: ./credentials/root.jws.json }
`;
    expect(configOf(text)).toEqual(configOf(shortest));
  });

  it('shows every key there is, and those that are commented out are as they have to be', () => {
    const schema = z.toJSONSchema(AgentConfig, { io: 'output', unrepresentable: 'any' });
    expect(text).not.toBe(whole);
    expect(missingKeys(schema as Schema, configOf(whole), '')).toEqual([]);
  });
});

interface Schema {
  properties?: Record<string, Schema>;
}

/** Dotted names of what the schema has and the value has not. */
function missingKeys(schema: Schema, value: unknown, path: string): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, below]) => {
    const found = (value as Record<string, unknown> | undefined)?.[name];
    return found === undefined ? [`${path}${name}`] : missingKeys(below, found, `${path}${name}.`);
  });
}
