import { readdirSync } from 'node:fs';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { AgentConfig } from '../../schemas/agent-config.ts';
import { AgentPolicy } from '../../schemas/agent-policy.ts';
import { Command as CommandMessage } from '../../schemas/command.ts';
import { ConsoleSettings } from '../../schemas/console/settings.ts';
import { Current } from '../../schemas/current.ts';
import { parseDuration } from '../../schemas/duration.ts';
import { Event } from '../../schemas/event.ts';
import { ManifestV1 } from '../../schemas/manifest-v1.ts';
import { ManifestV2 } from '../../schemas/manifest-v2.ts';
import {
  CommandRefusalCode,
  EventReason,
  RefusalCode,
  RetryCode,
  StallCode,
  UploadRefusalCode,
} from '../../schemas/reasons.ts';
import { ReleaseStatement } from '../../schemas/release.ts';
import { RunReport } from '../../schemas/run.ts';
import { parseSize } from '../../schemas/size.ts';
import { ConditionType, FlowPhase, Status } from '../../schemas/status.ts';
import {
  Ack,
  AgentHello,
  ConsoleHello,
  Goaway,
  ReconcileRequest,
  RunLog,
  RunLogAck,
  RunStarted,
  TunnelFrameType,
} from '../../schemas/tunnel-frame.ts';
import { UploadPlaces, UploadRequestFile } from '../../schemas/upload.ts';
import { UploadMetadata } from '../../schemas/upload-metadata.ts';
import { parseYaml } from '../../system/yaml-document.ts';
import { codeIn, page, pagesBelow, ROOT, rowsIn } from './markdown.ts';
import { type Field, fieldsOf } from './schema-fields.ts';

const absent = (path: string, wanted: readonly string[]): string[] => {
  const code = codeIn(page(path));
  return wanted.filter((word) => !code.has(word));
};

describe('agent-yaml.md', () => {
  const fields = fieldsOf(AgentConfig, 'input');
  // the section of the keys: other tables are of files and of the environment
  const keys = page('docs/spec/agent-yaml.md')
    .split(/^## /m)
    .find((section) => section.startsWith('Keys'));
  const rows = rowsIn(keys ?? '');

  it('has a row for every key, and none for another', () => {
    expect([...rows.keys()].sort()).toEqual(fields.map(({ path }) => path).sort());
  });

  it.each(fields)('names the default of $path', (field) => {
    expect(rows.get(field.path)).toBe(defaultText(field));
  });

  it('names every key of agent-policy.yaml', () => {
    const policy = page('docs/spec/agent-yaml.md').split('## agent-policy.yaml')[1] ?? '';
    const leaves = fieldsOf(AgentPolicy, 'input').map(({ path }) => path.split('.').at(-1) as string);
    expect(leaves.filter((leaf) => !policy.includes(`${leaf}:`))).toEqual([]);
  });
});

describe('console-yaml.md', () => {
  const fields = fieldsOf(ConsoleSettings, 'input');
  const rows = rowsIn(page('docs/spec/console-yaml.md'));

  it('has a row for every key with its default, and none for another', () => {
    expect(Object.fromEntries(rows)).toEqual(
      Object.fromEntries(fields.map((field) => [field.path, defaultText(field)])),
    );
  });
  it('has every default in the example, which is one', () => {
    const outcome = parseYaml(page('examples/console.yaml'), ConsoleSettings);
    expect(outcome).toMatchObject({ kind: 'valid', value: ConsoleSettings.parse({ version: 1 }) });
    const text = page('examples/console.yaml');
    expect(
      fields.map(({ path }) => path.split('.').at(-1)).filter((key) => !text.includes(`${key}:`)),
    ).toEqual([]);
  });
});

describe('manifest.md', () => {
  const rows = rowsIn(page('docs/spec/manifest.md'));

  it.each(fieldsOf(ManifestV1, 'input').filter(({ path }) => path !== 'manifest_version'))(
    'has $path of version 1',
    (field) => {
      expect(rows.get(field.path)).toBe(defaultText(field));
    },
  );
  it.each(fieldsOf(ManifestV2, 'input').filter(({ path }) => path !== 'manifest_version'))(
    'has $path of version 2',
    (field) => {
      expect(rows.get(field.path)).toBe(defaultText(field));
    },
  );
});

describe('release.md', () => {
  it('has every code of a refusal', () => {
    expect(absent('docs/spec/release.md', RefusalCode.options)).toEqual([]);
  });
  it('has every member of a statement', () => {
    const paths = fieldsOf(ReleaseStatement, 'input').map(({ path }) => path);
    expect(absent('docs/spec/release.md', paths)).toEqual([]);
  });
});

describe('command-message.md', () => {
  it('has every code of a refusal', () => {
    expect(absent('docs/spec/command-message.md', CommandRefusalCode.options)).toEqual([]);
  });
  it('has every member of a command', () => {
    const members = CommandMessage.options.flatMap((option) => Object.keys(option.shape));
    expect(absent('docs/spec/command-message.md', [...new Set(members)])).toEqual([]);
  });
});

describe('exit-codes.md', () => {
  it('has every code of what stalls and of what is tried again', () => {
    expect(absent('docs/spec/exit-codes.md', [...StallCode.options, ...RetryCode.options])).toEqual([]);
  });
});

describe('event.md', () => {
  it('has every reason and every member', () => {
    expect(absent('docs/spec/event.md', EventReason.options)).toEqual([]);
    expect(
      absent(
        'docs/spec/event.md',
        fieldsOf(Event, 'output').map(({ path }) => path),
      ),
    ).toEqual([]);
  });
});

describe('file-upload.md', () => {
  it('has every code, and every member of what is written and sent', () => {
    const members = [UploadRequestFile, UploadPlaces, UploadMetadata].flatMap((schema) =>
      leavesOf(fieldsOf(schema, 'output')).map((path) => path.replace('uploads[].', '')),
    );
    expect(absent('docs/spec/file-upload.md', [...UploadRefusalCode.options, ...members])).toEqual([]);
  });
});

describe('status.md', () => {
  it('has every member, condition and phase', () => {
    const leaves = leavesOf(fieldsOf(Status, 'output'));
    expect(
      absent('docs/spec/status.md', [...leaves, ...ConditionType.options, ...FlowPhase.options]),
    ).toEqual([]);
  });
});

describe('tunnel.md', () => {
  it('has every type of a frame, and every member of its data', () => {
    const data = [AgentHello, ConsoleHello, ReconcileRequest, Ack, Goaway, RunStarted, RunLog, RunLogAck];
    const members = data.flatMap((schema) => Object.keys(schema.shape));
    expect(absent('docs/spec/tunnel.md', [...TunnelFrameType.options, ...members])).toEqual([]);
  });
});

describe('run.md', () => {
  it('has every member of a report', () => {
    expect(absent('docs/spec/run.md', leavesOf(fieldsOf(RunReport, 'output')))).toEqual([]);
  });
});

describe('on-disk.md', () => {
  it('has every member of current.json', () => {
    const members = [
      ...fieldsOf(Current, 'output').map(({ path }) => path),
      'activated_at',
      'previous',
      'held',
    ];
    expect(
      absent(
        'docs/spec/on-disk.md',
        members.filter((path) => !path.includes('.')),
      ),
    ).toEqual([]);
  });
});

describe('command.md', async () => {
  const program = new Command('edge-agent');
  for (const file of readdirSync(`${ROOT}/cli/commands`)) {
    const module = (await import(`../../cli/commands/${file}`)) as Record<string, unknown>;
    for (const [name, add] of Object.entries(module)) {
      if (name.startsWith('add') && typeof add === 'function') add(program);
    }
  }
  const text = page('docs/spec/command.md');
  const sections = new Map(
    text.split(/^### /m).map((section) => [/^`(\S+)`/.exec(section)?.[1], section] as const),
  );

  it('has a section for every verb, and none for another', () => {
    const documented = [...sections.keys()].filter((verb) => verb !== undefined);
    expect(documented.sort()).toEqual(program.commands.map((command) => command.name()).sort());
  });

  it.each(program.commands.map((command) => [command.name(), command] as const))(
    'has every option of %s',
    (verb, command) => {
      const section = sections.get(verb) ?? '';
      const missing = [command, ...command.commands].flatMap((each) => {
        const headline = each === command ? [] : [`\`${verb} ${each.name()}`];
        // The thresholds of a rotation are those of a first root.
        const flags = each.options
          .map((option) => option.long ?? '')
          .filter((flag) => !(each.name() === 'rotate' && flag.endsWith('-threshold')));
        return [...headline, ...flags].filter((text) => !section.includes(text));
      });
      expect(missing).toEqual([]);
    },
  );
});

describe('the index of decisions', () => {
  it('lists every page once', () => {
    const pages = pagesBelow('docs/decisions').map((path) => path.slice('docs/decisions/'.length));
    const listed = Array.from(
      page('docs/decisions/README.md').matchAll(/\]\((\d{4}-[\w-]+\.md)\)/g),
      ([, file]) => String(file),
    );
    expect(listed.sort()).toEqual(pages.filter((file) => file !== 'README.md').sort());
  });
  it('has no number twice', () => {
    const numbers = pagesBelow('docs/decisions').map((path) =>
      path.slice('docs/decisions/'.length, 'docs/decisions/'.length + 4),
    );
    expect(new Set(numbers).size).toBe(numbers.length);
  });
});

/** As the tables write it. Durations and sizes in whatever unit says the same. */
function defaultText(field: Field): unknown {
  if (field.required) return 'required';
  const value = field.default;
  if (value === null) return 'none';
  if (typeof value === 'object' && !Array.isArray(value)) {
    const entries = Object.entries(value).map(([key, inner]) => `${key}: ${String(inner)}`);
    return `{${entries.join(', ')}}`;
  }
  if (Array.isArray(value)) return JSON.stringify(value);
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function leavesOf(fields: readonly Field[]): string[] {
  const paths = fields.map(({ path }) => path);
  return paths.filter(
    (path) => !paths.some((other) => other.startsWith(`${path}.`) || other.startsWith(`${path}[]`)),
  );
}

describe('the words of durations and sizes', () => {
  it.each(
    Array.from(
      page('docs/spec/agent-yaml.md').matchAll(/- Durations: (.+?)\. Sizes: (.+?)\./g),
      ([, a, b]) => [a, b],
    ),
  )('are taken as shown: %s %s', (durations, sizes) => {
    const words = (list = '') => [...codeIn(list)];
    expect(words(durations).map(parseDuration)).not.toContain(null);
    expect(words(sizes).map(parseSize)).not.toContain(null);
    expect(z.array(z.string()).min(4).safeParse(words(sizes)).success).toBe(true);
  });
});
