import { useParameters } from '../../frame/address.ts';
import { type Chip, FilterChips, SearchBox, SelectFilter, TableTools } from '../../parts/table-tools.tsx';
import { en } from '../../text/en/agents.ts';
import { fr } from '../../text/fr/agents.ts';
import { useText } from '../../text/language.tsx';
import { useWords } from '../../text/words.ts';

/** Words, tunnel, health and holds in fields; what comes from links (a flow, a version, a revision, a label) as chips to take away. */
const CHIPS = ['flow', 'version', 'revision', 'label', 'os', 'agent_version'] as const;

export function AgentFilters() {
  const text = useText({ en, fr });
  const words = useWords();
  const [parameters, set] = useParameters();
  const value = (name: string) => parameters.get(name) ?? '';
  const chips = CHIPS.flatMap((name): Chip[] =>
    value(name) === ''
      ? []
      : [
          {
            id: name,
            name: text.filter[name],
            value: value(name),
            onRemove: () => set({ [name]: null, offset: null }),
          },
        ],
  );
  return (
    <TableTools>
      <SearchBox
        label={text.search}
        value={value('q')}
        onSearch={(q) => set({ q, offset: null }, { replace: true })}
      />
      <SelectFilter
        label={text.column.tunnel}
        all={text.anyTunnel}
        value={value('tunnel')}
        options={[
          { value: 'connected', word: text.connected },
          { value: 'disconnected', word: text.disconnected },
        ]}
        onChange={(tunnel) => set({ tunnel, offset: null })}
      />
      <SelectFilter
        label={text.column.health}
        all={text.anyHealth}
        value={value('health')}
        options={(['healthy', 'unhealthy', 'unknown'] as const).map((health) => ({
          value: health,
          word: words.health[health],
        }))}
        onChange={(health) => set({ health, offset: null })}
      />
      <SelectFilter
        label={text.held}
        all={text.anyHeld}
        value={value('held')}
        options={[
          { value: 'yes', word: text.heldYes },
          { value: 'no', word: text.heldNo },
        ]}
        onChange={(held) => set({ held, offset: null })}
      />
      <FilterChips
        chips={chips}
        onClear={() => set({ ...Object.fromEntries(CHIPS.map((name) => [name, null])), offset: null })}
      />
    </TableTools>
  );
}
