import type { ComponentChildren } from 'preact';
import { en } from '../../text/en/run.ts';
import { fr } from '../../text/fr/run.ts';
import { useText } from '../../text/language.tsx';
import { type AnsiLook, classOf, piecesOf } from './ansi.ts';
import { type LogLine, patternOf } from './log-text.ts';

/** So much of a line is drawn; the rest is in the file. */
const DRAWN_MAX = 4_096;

/** A line in its colours, with the words that are looked for marked. Text and classes alone: whatever was printed stays text. */
export function LogLineText({ line, words }: { line: LogLine; words: string }) {
  const text = useText({ en, fr });
  const { stretches, left } = stretchesOf(line, words);
  return (
    <span class="log-text">
      {stretches.map(({ shown, look, found }, place) => (
        <Stretch key={place} shown={shown} look={look} found={found} />
      ))}
      {left === 0 ? null : <span class="log-left">{text.log.cut(left)}</span>}
    </span>
  );
}

function Stretch({
  shown,
  look,
  found,
}: {
  shown: string;
  look: AnsiLook;
  found: boolean;
}): ComponentChildren {
  const classes = classOf(look);
  const part = classes === undefined ? shown : <span class={classes}>{shown}</span>;
  return found ? <mark class="log-found">{part}</mark> : part;
}

function stretchesOf(line: LogLine, words: string) {
  const pieces = piecesOf(line.text, line.look);
  const whole = pieces.map(({ text }) => text).join('');
  const end = Math.min(whole.length, DRAWN_MAX);
  const found = words === '' ? [] : [...whole.matchAll(patternOf(words))];
  const stretches: { shown: string; look: AnsiLook; found: boolean }[] = [];
  let at = 0;
  for (const { text, look } of pieces) {
    const to = Math.min(at + text.length, end);
    let from = at;
    for (const hit of found) {
      const [begin, stop] = [hit.index, hit.index + hit[0].length];
      if (stop <= from || begin >= to) continue;
      if (begin > from) stretches.push({ shown: whole.slice(from, begin), look, found: false });
      const marked = { from: Math.max(from, begin), to: Math.min(stop, to) };
      stretches.push({ shown: whole.slice(marked.from, marked.to), look, found: true });
      from = marked.to;
    }
    if (from < to) stretches.push({ shown: whole.slice(from, to), look, found: false });
    at += text.length;
    if (at >= end) break;
  }
  return { stretches, left: line.left + whole.length - end };
}
