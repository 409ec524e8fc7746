import type { AgentDetail, DiskVersion } from '../../../../schemas/console/agent.ts';
import { Badge } from '../../parts/badge.tsx';
import { Mono, Version } from '../../parts/copied.tsx';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { Empty } from '../../parts/note.tsx';
import { en } from '../../text/en/agent.ts';
import { useFormat } from '../../text/format.ts';
import { fr } from '../../text/fr/agent.ts';
import { useText } from '../../text/language.tsx';

/** Bundles that lie unpacked on the machine. */
export function VersionsTab({ agent }: { agent: AgentDetail }) {
  const text = useText({ en, fr });
  const columns = useColumns();
  return (
    <DataTable<DiskVersion>
      caption={text.tabs.versions}
      columns={columns}
      rows={agent.status?.versions ?? []}
      rowId={({ flow, version, sha256 }) => `${flow} ${version} ${sha256}`}
      empty={
        <Empty icon="flows" title={text.versions.none}>
          {text.versions.noneMore}
        </Empty>
      }
    />
  );
}

function useColumns(): Column<DiskVersion>[] {
  const { versions: text, flows } = useText({ en, fr });
  const format = useFormat();
  return [
    { id: 'flow', title: flows.flow, card: 'title', cell: ({ flow }) => flow },
    { id: 'version', title: text.version, cell: ({ version }) => <Version version={version} /> },
    {
      id: 'digest',
      title: text.digest,
      cell: ({ sha256 }) => <Mono text={sha256} short={sha256.slice(0, 12)} copy />,
    },
    {
      id: 'size',
      title: text.size,
      number: true,
      tight: true,
      cell: ({ bytes }) => (bytes === null ? '–' : format.bytes(bytes)),
    },
    {
      id: 'use',
      title: text.use,
      tight: true,
      card: 'badge',
      cell: ({ use }) => <Badge tone={use === 'active' ? 'ok' : 'none'}>{text.uses[use]}</Badge>,
    },
  ];
}
