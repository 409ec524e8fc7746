import type { ReleaseRow } from '../../../schemas/console/release.ts';
import { useReleases } from '../api/queries.ts';
import { Badge } from '../parts/badge.tsx';
import { Revision } from '../parts/copied.tsx';
import type { Column } from '../parts/data-table.tsx';
import { SearchedList, useSearched } from '../parts/searched-list.tsx';
import { Time } from '../parts/time.tsx';
import '../style/releases.css';
import { en } from '../text/en/releases.ts';
import { useFormat } from '../text/format.ts';
import { fr } from '../text/fr/releases.ts';
import { useText } from '../text/language.tsx';
import { Applied, Progress } from './releases/how-far.tsx';

/** What has been released, and how far each has got. */
export default function Releases() {
  const text = useText({ en, fr });
  const asked = useSearched();
  const answer = useReleases(asked);
  return (
    <SearchedList<ReleaseRow>
      text={text}
      icon="releases"
      answer={answer}
      rows={answer.data?.releases}
      total={answer.data?.total}
      columns={useColumns(asked.tenant === undefined)}
      rowId={({ tenant, revision }) => `${tenant} ${revision}`}
      rowPath={({ tenant, revision }) => `/releases/${tenant}/${encodeURIComponent(revision)}`}
    />
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
      cell: (release) => <Progress release={release} />,
    },
    {
      id: 'applied',
      title: text.column.applied,
      tight: true,
      number: true,
      cell: (release) => <Applied release={release} />,
    },
    {
      id: 'seen',
      title: text.column.seen,
      tight: true,
      cell: ({ first_seen_at }) => <Time at={first_seen_at} />,
    },
  ];
}
