// Preloaded into an app (`node -r`): from SIGUSR2 on it kills its own process, by SIGKILL, at one statement to the database.
// DIE_AT is {when: 'before' | 'after' | 'frozen', text}: before the first statement that holds the text is sent, or when its answer is here.
// `frozen` stops the process instead (SIGSTOP), when the first such statement of a transaction is answered; it goes on by SIGCONT.
const { Client } = require('pg');

const { when, text } = JSON.parse(process.env.DIE_AT);
let isArmed = false;
process.on('SIGUSR2', () => {
  isArmed = true;
  process.stdout.write('armed\n');
});

const die = () => process.kill(process.pid, 'SIGKILL');
const { query } = Client.prototype;
Client.prototype.query = function (config, values, callback) {
  const said = typeof config === 'string' ? config : config.text;
  const isIt = isArmed && said.includes(text);
  if (isIt && when === 'before') return die();
  if (isIt && when === 'frozen' && typeof callback !== 'function') {
    isArmed = false;
    return query.call(this, config, values).then((answer) => {
      process.kill(process.pid, 'SIGSTOP');
      return answer;
    });
  }
  // The pool calls with a callback; what comes without one is not waited for here.
  if (!isIt || when === 'frozen' || typeof callback !== 'function') return query.call(this, config, values, callback);
  return query.call(this, config, values, () => die());
};
