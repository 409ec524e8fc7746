import type { ReleaseDetail } from '../../../../schemas/console/release.ts';
import { Mono, Version } from '../../parts/copied.tsx';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { Empty } from '../../parts/note.tsx';
import { en } from '../../text/en/releases.ts';
import { fr } from '../../text/fr/releases.ts';
import { useText } from '../../text/language.tsx';

type Flow = ReleaseDetail['flows'][number];

/** The flows that the manifest names. */
export function ManifestCard({ flows, tenant }: { flows: readonly Flow[]; tenant: string }) {
  const { one: text } = useText({ en, fr });
  const columns = useColumns();
  return (
    <section class="stack-small">
      <h2>{text.manifest}</h2>
      <DataTable<Flow>
        caption={text.manifest}
        columns={columns}
        rows={flows}
        rowId={({ id }) => id}
        rowPath={({ id }) => `/flows/${tenant}/${id}`}
        empty={
          <Empty icon="releases" title={text.manifest}>
            {text.manifestNone}
          </Empty>
        }
      />
    </section>
  );
}

function useColumns(): Column<Flow>[] {
  const { one: text } = useText({ en, fr });
  return [
    { id: 'flow', title: text.flow, card: 'title', cell: ({ id }) => id },
    { id: 'version', title: text.version, cell: ({ version }) => <Version version={version} /> },
    {
      id: 'digest',
      title: text.digest,
      hideMedium: true,
      cell: ({ sha256 }) => <Mono text={sha256} short={sha256.slice(0, 12)} copy />,
    },
    { id: 'runtime', title: text.runtime, cell: ({ runtime }) => runtime },
    {
      id: 'schedule',
      title: text.schedule,
      cell: ({ schedule }) => (schedule === null ? <span class="quiet">–</span> : <Mono text={schedule} />),
    },
  ];
}
