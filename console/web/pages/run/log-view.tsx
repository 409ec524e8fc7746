import type { ComponentChildren } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { useParameters } from '../../frame/address.ts';
import { keep, kept } from '../../frame/kept.ts';
import { Button } from '../../parts/button.tsx';
import { Copy } from '../../parts/copied.tsx';
import { Icon } from '../../parts/icon.tsx';
import { LogLines } from '../../parts/log-lines.tsx';
import { Empty, Note } from '../../parts/note.tsx';
import { SearchBox } from '../../parts/table-tools.tsx';
import { en } from '../../text/en/run.ts';
import { useFormat } from '../../text/format.ts';
import { fr } from '../../text/fr/run.ts';
import { useText } from '../../text/language.tsx';
import type { FollowState } from './log-follow.ts';
import { LogLineText } from './log-line.tsx';
import { createLogText, type LogText } from './log-text.ts';
import { type LogPlace, logAddress, useLog } from './use-log.ts';

/** A dozen lines or two. */
const SHORT_BYTES = 1_500;

/** A stream as it comes. */
export function LiveLog({ place, bytes, live }: { place: LogPlace; bytes: number; live: boolean }) {
  const text = useText({ en, fr });
  const format = useFormat();
  const { text: log, state, skipped } = useLog(place, bytes);
  const [wasLive] = useState(live);
  return (
    <>
      {skipped > 0 ? <Note tone="none" title={text.log.skipped(format.bytes(skipped))} /> : null}
      <LogView
        label={place.stream}
        log={log}
        numbered={skipped === 0}
        follows={wasLive}
        state={live || state === 'connecting' || state === 'reconnecting' ? state : null}
        short={!live && bytes < SHORT_BYTES}
        download={`${logAddress(place)}&download`}
      />
    </>
  );
}

/** The end of what was printed, of the report. */
export function TailLog({ tail }: { tail: string }) {
  const log = useMemo(() => {
    const made = createLogText();
    made.add(tail);
    return made;
  }, [tail]);
  return (
    <LogView
      label="log"
      log={log}
      numbered={false}
      follows={false}
      state={null}
      short={tail.length < SHORT_BYTES}
    />
  );
}

function LogView(props: {
  label: string;
  log: LogText;
  numbered: boolean;
  /** Whether it begins at its end. */
  follows: boolean;
  /** Null: all of it is here. */
  state: FollowState | null;
  /** It needs little room, and will not grow. */
  short: boolean;
  download?: string;
}) {
  const text = useText({ en, fr });
  const { log } = props;
  const [parameters, set] = useParameters();
  const words = (parameters.get('find') ?? '').slice(0, 200);
  const [follow, setFollow] = useState(props.follows);
  const [wrap, setWrap] = useState(() => kept('wrap') === 'on');
  const search = useSearch(log, words);
  const count = log.lines.length;
  const line = (index: number) => <LineAt log={log} index={index} words={words} />;
  const waits = props.state === 'connecting' || props.state === 'reconnecting';
  return (
    <div class={props.short ? 'log-place is-short' : 'log-place'}>
      <div class="log-tools">
        <SearchBox
          label={text.log.search}
          value={words}
          onSearch={(value) => {
            if (value === words) search.go(1);
            else set({ find: value }, { replace: true });
          }}
        />
        {words === '' ? null : (
          <>
            <span class="log-hits" role="status">
              {search.count === 0 ? text.log.noHits : text.log.hits(search.place, search.count)}
            </span>
            <Button
              small
              look="bare"
              icon="up"
              label={text.log.previous}
              disabled={search.count === 0}
              onClick={() => {
                setFollow(false);
                search.go(-1);
              }}
            />
            <Button
              small
              look="bare"
              icon="down"
              label={text.log.next}
              disabled={search.count === 0}
              onClick={() => {
                setFollow(false);
                search.go(1);
              }}
            />
          </>
        )}
        <span class="log-side">
          <span class="quiet small log-count">
            {text.log.lines(count + log.gone)}
            {props.state === null ? null : ` · ${text.log.state[props.state]}`}
          </span>
          <Button
            small
            look="bare"
            aria-pressed={wrap}
            onClick={() => {
              keep('wrap', wrap ? null : 'on');
              setWrap(!wrap);
            }}
          >
            {text.log.wrap}
          </Button>
          {props.follows || follow ? (
            <Button small look="bare" aria-pressed={follow} onClick={() => setFollow(!follow)}>
              {text.log.follow}
            </Button>
          ) : null}
          <Copy text={() => log.plain()} what={text.log.copy} />
          {props.download === undefined ? null : (
            <a
              class="copy"
              href={props.download}
              download
              title={text.log.download}
              aria-label={text.log.download}
            >
              <Icon name="download" size={14} />
            </a>
          )}
        </span>
      </div>
      {log.gone === 0 ? null : <Note tone="none" title={text.log.gone(log.gone)} />}
      {count === 0 ? (
        <div class="log log-empty" aria-busy={waits && !props.follows}>
          {waits && !props.follows ? null : <Nothing live={props.state !== null} />}
        </div>
      ) : (
        <LogLines
          label={props.label}
          count={count}
          numberFrom={props.numbered ? log.gone + 1 : null}
          follow={follow}
          onFollow={props.follows ? setFollow : undefined}
          wrap={wrap}
          goTo={search.goTo}
          lineClass={(index) => (index === search.goTo?.index ? 'is-hit' : undefined)}
          line={line}
        />
      )}
    </div>
  );
}

function LineAt({ log, index, words }: { log: LogText; index: number; words: string }): ComponentChildren {
  const line = log.lines[index];
  return line === undefined ? null : <LogLineText line={line} words={words} />;
}

function Nothing({ live }: { live: boolean }) {
  const text = useText({ en, fr });
  return (
    <Empty icon="terminal" title={live ? text.log.nothing : text.log.never}>
      {live ? text.log.nothingMore : text.log.neverMore}
    </Empty>
  );
}

/** The lines that have the words, and which of them is looked at: the first when somebody has typed. */
function useSearch(log: LogText, words: string) {
  const hits = log.find(words);
  const [goTo, setGoTo] = useState<{ readonly index: number } | null>(null);
  // Of words that were there before the lines, the first hit is gone to when it comes.
  const any = hits.length > 0;
  useEffect(() => {
    const first = log.find(words)[0];
    setGoTo(first === undefined ? null : { index: first });
  }, [log, words, any]);
  const place = goTo === null ? 0 : hits.indexOf(goTo.index) + 1;
  return {
    count: hits.length,
    place,
    goTo,
    go: (step: 1 | -1) => {
      if (hits.length === 0) return;
      const next = (place - 1 + step + hits.length) % hits.length;
      setGoTo({ index: hits[place === 0 && step === 1 ? 0 : next] ?? 0 });
    },
  };
}
