import { tellingEach } from '../support/hostile-git/catalogue.ts';
import { CONNECTION_LIES } from '../support/hostile-git/connection-lies.ts';
import { HTTP_ANSWER_LIES } from '../support/hostile-git/http-answer-lies.ts';
import { HTTP_FRAME_LIES } from '../support/hostile-git/http-frame-lies.ts';

tellingEach({
  connections: CONNECTION_LIES,
  'frames of HTTP': HTTP_FRAME_LIES,
  'answers of HTTP': HTTP_ANSWER_LIES,
});
