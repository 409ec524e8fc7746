/** The children of ours (design.md, Processes): each loads only its own part. */
export const fetcher = () => import('../sources/git/fetcher-child.ts');
export const unpacker = () => import('../store/archive/unpacker-child.ts');
