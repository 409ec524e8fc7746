import { createHash } from 'node:crypto';
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically } from '../system/atomic-file.ts';
import { readSmallFile } from '../system/small-file.ts';

/** What a flow's `env` (or `runs.env`) asks to be recorded. */
export interface Recording {
  readonly trace: boolean;
  readonly video: boolean;
}

export function recordingOf(env: Readonly<Record<string, string>>): Recording {
  const asked = (name: string) => !['', '0', 'false', undefined].includes(env[name]?.toLowerCase());
  return { trace: asked('EDGE_TRACE'), video: asked('EDGE_VIDEO') };
}

/**
 * Runs the entrypoint as Python would and makes every browser context of it, of either interface, leave
 * `traces/<n>.zip` (playwright.dev/python/docs/trace-viewer) and `videos/*.webm` in EDGE_OUTPUT_DIR, also when the flow fails
 * inside its `with sync_playwright()`. Uses the public interface alone. What goes wrong with recording is said on stderr and
 * never fails the flow.
 */
const RECORDER = `"""Runs an Edge flow and records what its browsers do. Started by the agent when EDGE_TRACE or EDGE_VIDEO is set."""
import functools
import itertools
import os
import runpy
import sys


def asked(name):
    return os.environ.get(name, "").lower() not in ("", "0", "false")


TRACE, VIDEO = asked("EDGE_TRACE"), asked("EDGE_VIDEO")
OUTPUT = os.environ["EDGE_OUTPUT_DIR"]
NUMBERS = itertools.count(1)


def failed(what, error):
    print(f"edge: {what}: {error}", file=sys.stderr)


def options(given):
    if VIDEO and given.get("record_video_dir") is None:
        given["record_video_dir"] = os.path.join(OUTPUT, "videos")
    return given


def trace_path():
    return os.path.join(OUTPUT, "traces", f"{next(NUMBERS)}.zip")


def patch_sync(api):
    open_contexts = []

    def begin(context):
        open_contexts.append(context)
        if TRACE:
            try:
                context.tracing.start(screenshots=True, snapshots=True)
            except Exception as error:
                failed("tracing could not be started", error)
        return context

    def finish(context):
        if context not in open_contexts:
            return
        open_contexts.remove(context)
        if TRACE:
            try:
                context.tracing.stop(path=trace_path())
            except Exception as error:
                failed("the trace could not be written", error)

    def wrap(owner, name, make):
        original = getattr(owner, name)
        setattr(owner, name, functools.wraps(original)(make(original)))

    wrap(api.Browser, "new_context", lambda original: lambda self, **given: begin(original(self, **options(given))))
    wrap(
        api.BrowserType,
        "launch_persistent_context",
        lambda original: lambda self, user_data_dir, **given: begin(original(self, user_data_dir, **options(given))),
    )

    def new_page(original):
        def wrapped(self, **given):
            page = original(self, **options(given))
            begin(page.context)
            owned.append(page)
            return page

        return wrapped

    owned = []
    wrap(api.Browser, "new_page", new_page)

    def close_page(original):
        def wrapped(self, *args, **given):
            if self in owned:
                owned.remove(self)
                finish(self.context)
            return original(self, *args, **given)

        return wrapped

    wrap(api.Page, "close", close_page)

    def close_context(original):
        def wrapped(self, *args, **given):
            finish(self)
            return original(self, *args, **given)

        return wrapped

    wrap(api.BrowserContext, "close", close_context)

    def close_browser(original):
        def wrapped(self, *args, **given):
            for context in list(self.contexts):
                # Closing it writes its video to the end.
                context.close()
            return original(self, *args, **given)

        return wrapped

    wrap(api.Browser, "close", close_browser)

    def leave(original):
        def wrapped(self, *args, **given):
            for context in list(open_contexts):
                try:
                    context.close()
                except Exception as error:
                    failed("a recording could not be ended", error)
            return original(self, *args, **given)

        return wrapped

    manager = type(api.sync_playwright())
    wrap(manager, "__exit__", leave)
    wrap(api.Playwright, "stop", leave)


def patch_async(api):
    open_contexts = []

    async def begin(context):
        open_contexts.append(context)
        if TRACE:
            try:
                await context.tracing.start(screenshots=True, snapshots=True)
            except Exception as error:
                failed("tracing could not be started", error)
        return context

    async def finish(context):
        if context not in open_contexts:
            return
        open_contexts.remove(context)
        if TRACE:
            try:
                await context.tracing.stop(path=trace_path())
            except Exception as error:
                failed("the trace could not be written", error)

    def wrap(owner, name, make):
        original = getattr(owner, name)
        setattr(owner, name, functools.wraps(original)(make(original)))

    def new_context(original):
        async def wrapped(self, **given):
            return await begin(await original(self, **options(given)))

        return wrapped

    def persistent(original):
        async def wrapped(self, user_data_dir, **given):
            return await begin(await original(self, user_data_dir, **options(given)))

        return wrapped

    owned = []

    def new_page(original):
        async def wrapped(self, **given):
            page = await original(self, **options(given))
            await begin(page.context)
            owned.append(page)
            return page

        return wrapped

    def close_page(original):
        async def wrapped(self, *args, **given):
            if self in owned:
                owned.remove(self)
                await finish(self.context)
            return await original(self, *args, **given)

        return wrapped

    def close_context(original):
        async def wrapped(self, *args, **given):
            await finish(self)
            return await original(self, *args, **given)

        return wrapped

    def close_browser(original):
        async def wrapped(self, *args, **given):
            for context in list(self.contexts):
                await context.close()
            return await original(self, *args, **given)

        return wrapped

    def leave(original):
        async def wrapped(self, *args, **given):
            for context in list(open_contexts):
                try:
                    await context.close()
                except Exception as error:
                    failed("a recording could not be ended", error)
            return await original(self, *args, **given)

        return wrapped

    wrap(api.Browser, "new_context", new_context)
    wrap(api.BrowserType, "launch_persistent_context", persistent)
    wrap(api.Browser, "new_page", new_page)
    wrap(api.Page, "close", close_page)
    wrap(api.BrowserContext, "close", close_context)
    wrap(api.Browser, "close", close_browser)
    wrap(type(api.async_playwright()), "__aexit__", leave)
    wrap(api.Playwright, "stop", leave)


def record():
    import playwright.async_api
    import playwright.sync_api

    patch_sync(playwright.sync_api)
    patch_async(playwright.async_api)


try:
    record()
except Exception as error:
    failed("nothing will be recorded", error)
sys.argv = sys.argv[1:]
sys.path[0] = os.path.dirname(sys.argv[0])
runpy.run_path(sys.argv[0], run_name="__main__")
`;

/** The program's path below `folder` (`<state>/envs`), written there when it is not yet; flows may read it. */
export async function recorderProgram(folder: string): Promise<string> {
  const digest = createHash('sha256').update(RECORDER).digest('hex').slice(0, 16);
  const path = join(folder, `recorder-${digest}.py`);
  const found = await readSmallFile(path, RECORDER.length * 2).catch(() => null);
  if (found?.kind === 'read' && Buffer.from(found.bytes).toString('utf8') === RECORDER) return path;
  await mkdir(folder, { recursive: true, mode: 0o755 });
  await writeFileAtomically(path, RECORDER);
  await chmod(path, 0o444);
  return path;
}
