import { tellingEach } from '../support/hostile-git/catalogue.ts';
import { PACKET_LIES } from '../support/hostile-git/packet-lies.ts';
import { REF_LIES } from '../support/hostile-git/ref-lies.ts';

tellingEach({ packets: PACKET_LIES, refs: REF_LIES });
