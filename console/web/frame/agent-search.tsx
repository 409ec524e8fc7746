import { useEffect, useId, useRef, useState } from 'preact/hooks';
import type { AgentRow } from '../../../schemas/console/agent.ts';
import { useAgents } from '../api/queries.ts';
import { StateBadge } from '../parts/badge.tsx';
import { Icon } from '../parts/icon.tsx';
import { SameNameId, sameNamed } from '../parts/same-name.tsx';
import { en } from '../text/en/frame.ts';
import { useFormat } from '../text/format.ts';
import { fr } from '../text/fr/frame.ts';
import { useText } from '../text/language.tsx';
import { useGo, useTenant } from './address.ts';

const TYPING_MS = 150;
const SHOWN = 8;

/** From anywhere to one agent: type, arrow, Enter. The server looks; the last row leads to the list of all that it found. */
export function AgentSearch({ onDone }: { onDone?: () => void }) {
  const text = useText({ en, fr });
  const format = useFormat();
  const go = useGo();
  const tenant = useTenant() ?? undefined;
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const [typed, setTyped] = useState('');
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(0);
  const words = useSettled(typed.trim());
  const { data, isPlaceholderData } = useAgents({ tenant, q: words, limit: SHOWN }, open && words !== '');
  const found = words === '' ? [] : (data?.agents ?? []);
  const among = sameNamed(found);
  const total = data?.total ?? 0;
  const rows = total > found.length ? found.length + 1 : found.length;
  useEffect(() => setActive(0), [words]);

  const leave = () => {
    setOpen(false);
    setTyped('');
    input.current?.blur();
    onDone?.();
  };
  const choose = (at: number) => {
    const agent = found[at];
    // What is on screen is of the words before these: the list will know.
    if (agent === undefined || words !== typed.trim() || isPlaceholderData)
      go('/agents', { q: typed.trim() });
    else go(`/agents/${encodeURIComponent(agent.agent_id)}`);
    leave();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Escape') leave();
    else if (event.key === 'Enter' && typed.trim() !== '') choose(active);
    else if (event.key === 'ArrowDown') setActive(rows === 0 ? 0 : (active + 1) % rows);
    else if (event.key === 'ArrowUp') setActive(rows === 0 ? 0 : (active - 1 + rows) % rows);
    else return;
    event.preventDefault();
  };
  const shown = open && words !== '' && data !== undefined;
  return (
    <div class="search" role="search">
      <div class="search-box">
        <Icon name="search" />
        <input
          ref={input}
          id="agent-search"
          type="search"
          role="combobox"
          aria-label={text.search}
          aria-expanded={shown}
          aria-controls={`${id}-found`}
          aria-activedescendant={shown && rows > 0 ? `${id}-${active}` : undefined}
          aria-autocomplete="list"
          placeholder={text.search}
          title={text.searchHint}
          autocomplete="off"
          spellcheck={false}
          value={typed}
          onInput={(event) => {
            setTyped(event.currentTarget.value);
            setOpen(true);
          }}
          onFocus={() => setOpen(true)}
          onBlur={() => setOpen(false)}
          onKeyDown={onKeyDown}
        />
        <kbd class="wide-only" aria-hidden="true">
          /
        </kbd>
      </div>
      {shown ? (
        <div class="found">
          <div
            id={`${id}-found`}
            role="listbox"
            tabIndex={-1}
            aria-label={text.search}
            // The focus stays in the box, which has the keys.
            onMouseDown={(event) => event.preventDefault()}
          >
            {found.map((agent, at) => (
              <Row
                key={agent.agent_id}
                id={`${id}-${at}`}
                agent={agent}
                among={among}
                active={at === active}
                onPoint={() => setActive(at)}
                onChoose={() => choose(at)}
              />
            ))}
            {total > found.length ? (
              <button
                type="button"
                tabIndex={-1}
                id={`${id}-${found.length}`}
                role="option"
                aria-selected={active === found.length}
                class={`found-row${active === found.length ? ' is-active' : ''}`}
                onClick={() => choose(found.length)}
                onMouseEnter={() => setActive(found.length)}
              >
                {text.searchAll(format.number(total))}
              </button>
            ) : null}
          </div>
          {found.length === 0 ? <p class="found-note">{text.searchNone(words)}</p> : null}
        </div>
      ) : null}
      <span class="unseen" role="status">
        {shown ? text.searchFound(total) : ''}
      </span>
    </div>
  );
}

function Row(props: {
  id: string;
  agent: AgentRow;
  among: ReadonlySet<string>;
  active: boolean;
  onPoint: () => void;
  onChoose: () => void;
}) {
  const { agent } = props;
  return (
    <button
      type="button"
      tabIndex={-1}
      id={props.id}
      role="option"
      aria-selected={props.active}
      class={`found-row${props.active ? ' is-active' : ''}`}
      onClick={props.onChoose}
      onMouseEnter={props.onPoint}
    >
      <span class="one-line">
        <strong>{agent.hostname}</strong>
        <SameNameId agentId={agent.agent_id} among={props.among} />{' '}
        <span class="quiet small">{agent.tenant}</span>
      </span>
      <StateBadge state={agent.state} />
      <span class="mono quiet small one-line">{agent.problem?.reason ?? agent.agent_id}</span>
    </button>
  );
}

/** The value once it has stayed the same for a moment. */
function useSettled(value: string): string {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), TYPING_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}
