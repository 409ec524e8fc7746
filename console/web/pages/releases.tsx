import type { ReleaseRow } from '../../../schemas/console/release.ts';
import { useReleases } from '../api/queries.ts';
import { useParameters, useTenant } from '../frame/address.ts';
import { Badge } from '../parts/badge.tsx';
import { Revision } from '../parts/copied.tsx';
import { type Column, DataTable } from '../parts/data-table.tsx';
import { Empty } from '../parts/note.tsx';
import { Page } from '../parts/page.tsx';
import { RolloutBar } from '../parts/rollout-bar.tsx';
import { Pager, SearchBox, TableTools } from '../parts/table-tools.tsx';
import { Time } from '../parts/time.tsx';
import '../style/releases.css';
import { en } from '../text/en/releases.ts';
import { useFormat } from '../text/format.ts';
import { fr } from '../text/fr/releases.ts';
import { useText } from '../text/language.tsx';
import { useWords } from '../text/words.ts';

const PAGE = 50;

/** What has been released, and how far each has got. */
export default function Releases() {
  const text = useText({ en, fr });
  const words = useWords();
  const [parameters, set] = useParameters();
  const tenant = useTenant() ?? undefined;
  const q = parameters.get('q') ?? '';
  const offset = Number(parameters.get('offset') ?? 0) || 0;
  const { data, error, isPlaceholderData, refetch } = useReleases({ tenant, q, limit: PAGE, offset });
  const columns = useColumns(tenant === undefined);
  return (
    <Page title={text.title} lead={text.lead}>
      <TableTools>
        <SearchBox
          label={text.search}
          value={q}
          onSearch={(next) => set({ q: next, offset: null }, { replace: true })}
        />
      </TableTools>
      <DataTable<ReleaseRow>
        caption={text.title}
        columns={columns}
        rows={data?.releases}
        rowId={(release) => `${release.tenant} ${release.revision}`}
        rowPath={(release) => `/releases/${release.tenant}/${encodeURIComponent(release.revision)}`}
        stale={isPlaceholderData}
        fault={error}
        onRetry={() => void refetch()}
        empty={
          <Empty icon="releases" title={q === '' ? text.none : words.table.nothingMatches}>
            {q === '' ? text.noneMore : words.table.nothingMatchesMore}
          </Empty>
        }
        foot={
          <Pager
            offset={offset}
            limit={PAGE}
            total={data?.total ?? 0}
            onOffset={(next) => set({ offset: next === 0 ? null : next })}
          />
        }
      />
    </Page>
  );
}

function useColumns(withTenant: boolean): Column<ReleaseRow>[] {
  const text = useText({ en, fr });
  const format = useFormat();
  return [
    {
      id: 'commit',
      title: text.column.commit,
      card: 'title',
      wide: true,
      cell: ({ commit }) => (
        <span class="commit">
          <span class="two-lines" title={commit?.subject}>
            {commit?.subject ?? text.noCommit}
          </span>
          {commit === null ? null : <span class="quiet small">{commit.author}</span>}
        </span>
      ),
    },
    {
      id: 'newest',
      title: text.newest,
      titleUnseen: true,
      tight: true,
      card: 'badge',
      cell: ({ newest }) => (newest ? <Badge tone="busy">{text.newest}</Badge> : null),
    },
    {
      id: 'revision',
      title: text.column.revision,
      tight: true,
      cell: ({ revision }) => <Revision revision={revision} />,
    },
    ...(withTenant
      ? [{ id: 'tenant', title: text.column.tenant, tight: true, cell: ({ tenant }: ReleaseRow) => tenant }]
      : []),
    {
      id: 'seq',
      title: text.column.seq,
      tight: true,
      number: true,
      hideMedium: true,
      cell: ({ seq }) => (seq === null ? '–' : format.number(seq)),
    },
    {
      id: 'progress',
      title: text.column.progress,
      cell: ({ agents }) => (
        <div class="release-bar">
          <RolloutBar agents={agents} legend={false} />
        </div>
      ),
    },
    {
      id: 'applied',
      title: text.column.applied,
      tight: true,
      number: true,
      cell: ({ agents }) => text.applied(format.number(agents.applied), format.number(agents.total)),
    },
    {
      id: 'seen',
      title: text.column.seen,
      tight: true,
      cell: ({ first_seen_at }) => <Time at={first_seen_at} />,
    },
  ];
}
