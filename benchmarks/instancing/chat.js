'use strict';
// What thor says: the chat's JSON, padded to the size asked for. Every client is the same nickname. The chat
// moves a nickname to the connection that it last spoke from, so each message is answered to its sender: thor
// takes whatever it hears for the answer to what it said.

const empty = JSON.stringify({ nickname: 'thor', room: 'asgard', message: '' });

exports.utf8 = (size, done) =>
  done(undefined, JSON.stringify({
    nickname: 'thor', room: 'asgard', message: 'x'.repeat(Math.max(0, size - empty.length)),
  }));
