import { tellingEach } from '../support/hostile-git/catalogue.ts';
import { ENTRY_LIES } from '../support/hostile-git/entry-lies.ts';
import { OBJECT_LIES } from '../support/hostile-git/object-lies.ts';
import { PACK_LIES } from '../support/hostile-git/pack-lies.ts';

tellingEach({ packs: PACK_LIES, 'entries of a pack': ENTRY_LIES, objects: OBJECT_LIES });
