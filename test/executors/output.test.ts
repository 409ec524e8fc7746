import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { captureOutput } from '../../executors/output-capture.ts';
import { collectOutputFiles, OUTPUT_FILES_MAX } from '../../executors/output-files.ts';
import { createPythonExecutor } from '../../executors/python.ts';
import { createRedactor } from '../../system/redaction.ts';
import { type Bench, createBench, SPEC, text } from '../contract/executor.ts';

const subject = {
  create: createPythonExecutor,
  async install(bundle: string, source: string) {
    await writeFile(join(bundle, 'main.py'), source);
    return 'main.py';
  },
};

const NEVER = new AbortController().signal;

describe('a flow that writes more than anybody wants', () => {
  let bench: Bench;
  beforeEach(async () => {
    bench = await createBench(subject);
  });
  afterEach(async () => {
    await bench.dispose();
  });

  const peakWhile = async (work: Promise<unknown>) => {
    const before = process.memoryUsage().rss;
    let peak = before;
    const timer = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 5);
    await work.finally(() => clearInterval(timer));
    return peak - before;
  };

  it('is read to the end of 1 GB in bounded memory', async () => {
    const run = bench.run(
      'import os\nblock = b"x" * (1 << 20)\nfor _ in range(1024):\n    rest = memoryview(block)\n    while rest: rest = rest[os.write(1, rest):]',
      { spec: { ...SPEC, secrets: ['S'] }, secrets: { S: 'xxxy' } },
    );
    const growth = await peakWhile(run);
    const result = await run;
    expect(result.status).toBe('succeeded');
    expect(result.stdout).toHaveLength(1 << 20);
    expect(result.stdout.length + result.truncated.stdout).toBe(1024 << 20);
    expect(growth).toBeLessThan(150 << 20);
  });

  it('may write a line of 50 MB, of which all that is kept is searched for secrets', async () => {
    const run = bench.run(
      'import os, sys\nsys.stdout.write("x" * 30_000_000 + os.environ["S"] + "x" * 20_000_000)',
      { spec: { ...SPEC, secrets: ['S'] }, secrets: { S: 'hunter22' } },
      { maxOutput: 64 << 20 },
    );
    const growth = await peakWhile(run);
    const result = await run;
    expect(result.stdout).toHaveLength(50_000_000 + '[redacted]'.length);
    expect(Buffer.from(result.stdout).indexOf('[redacted]')).toBe(30_000_000);
    expect(growth).toBeLessThan(400 << 20);
    expect((await stat(join(bench.runDirectory, 'stdout.log'))).size).toBe(result.stdout.length);
  });
});

describe('captured output', () => {
  it('is given up when the stream does not end in time, with what came until then', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'capture-'));
    const stream = new PassThrough();
    const path = join(folder, 'stdout.log');
    const capture = await captureOutput(stream, { path, limit: 10, redactor: createRedactor(['secret']) });
    stream.write('a secre');
    const { kept, dropped } = await capture.finish(50);
    expect(stream.destroyed).toBe(true);
    expect([text(kept), dropped]).toEqual(['a secre', 0]);
    expect(await readFile(path, 'utf8')).toBe('a secre');
    await rm(folder, { recursive: true });
  });

  it('is complete at once when the stream had ended before anybody listened', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'capture-'));
    const stream = new PassThrough();
    stream.resume().end();
    await once(stream, 'end');
    const path = join(folder, 'stdout.log');
    const capture = await captureOutput(stream, { path, limit: 10, redactor: createRedactor([]) });
    const asked = performance.now();
    expect(await capture.finish(5_000)).toMatchObject({ dropped: 0 });
    expect(performance.now() - asked).toBeLessThan(2_000);
    await rm(folder, { recursive: true });
  });

  it('writes over nothing that is there already', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'capture-'));
    const path = join(folder, 'stdout.log');
    await writeFile(path, 'of another');
    const options = { path, limit: 10, redactor: createRedactor([]) };
    await expect(captureOutput(new PassThrough(), options)).rejects.toThrow('EEXIST');
    await rm(folder, { recursive: true });
  });
});

describe('output files', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'outputs-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  it('are hashed whole and sorted by name', async () => {
    const large = Buffer.alloc(1_000_000, 'z');
    await mkdir(join(folder, 'b'));
    await writeFile(join(folder, 'b', 'large'), large);
    await writeFile(join(folder, 'a'), '');
    const { files, cut } = await collectOutputFiles(folder, NEVER);
    expect(cut).toBe(false);
    expect(files.map((file) => file.name)).toEqual(['a', 'b/large']);
    expect(files[1]?.sha256).toBe(createHash('sha256').update(large).digest('hex'));
  });

  it('are at most ten thousand', async () => {
    const names = Array.from({ length: OUTPUT_FILES_MAX + 1 }, (_, index) => join(folder, `f${index}`));
    for (const name of names) writeFileSync(name, '');
    const { files, cut } = await collectOutputFiles(folder, NEVER);
    expect(cut).toBe(true);
    expect(files).toHaveLength(OUTPUT_FILES_MAX);
  });

  it('are not hashed for days when one is sparse and endless', async () => {
    await writeFile(join(folder, 'a'), '1');
    await writeFile(join(folder, 'sparse'), '');
    await truncate(join(folder, 'sparse'), 2 ** 40);
    const { files, cut } = await collectOutputFiles(folder, AbortSignal.timeout(200));
    expect(cut).toBe(true);
    expect(files.map((file) => file.name)).toEqual(['a']);
  });

  it('are none when the folder is gone', async () => {
    expect(await collectOutputFiles(join(folder, 'gone'), NEVER)).toEqual({ files: [], cut: false });
  });
});
