// Jobs of BullMQ: in bulk, retried, delayed, repeated, with children, paused. Arguments: port, prefix of keys.
const { FlowProducer, Queue, QueueEvents, Worker } = require("bullmq");

const connection = { host: "127.0.0.1", port: Number(process.argv[2]), maxRetriesPerRequest: null };
const options = { connection, prefix: process.argv[3] };
const WAIT_MS = 30000;

function check(condition, what) {
  if (!condition) throw new Error(what);
}

async function until(condition) {
  for (const end = Date.now() + WAIT_MS; !(await condition()); ) {
    check(Date.now() < end, "not in time");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function main() {
  const queue = new Queue("jobs", options);
  const events = new QueueEvents("jobs", options);
  const flows = new FlowProducer(options);
  const seen = [];
  await events.waitUntilReady();
  const worker = new Worker(
    "jobs",
    async (job) => {
      if (job.name === "flaky" && job.attemptsMade < 2) throw new Error("again");
      await job.updateProgress(50);
      seen.push(job.name);
      return job.data.a + job.data.b;
    },
    { ...options, concurrency: 4 },
  );
  const result = (job) => job.waitUntilFinished(events, WAIT_MS);

  const many = Array.from({ length: 20 }, (_, i) => ({ name: "add", data: { a: i, b: 1 } }));
  for (const [i, job] of (await queue.addBulk(many)).entries()) check((await result(job)) === i + 1, "bulk");

  const retries = { attempts: 3, backoff: { type: "fixed", delay: 20 } };
  check((await result(await queue.add("flaky", { a: 1, b: 2 }, retries))) === 3, "retries");
  check((await result(await queue.add("late", { a: 1, b: 1 }, { delay: 100, priority: 3 }))) === 2, "delay");
  const counts = await queue.getJobCounts();
  check(counts.completed === 22 && counts.failed === 0, JSON.stringify(counts));

  await queue.upsertJobScheduler("every", { every: 50, limit: 3 }, { name: "tick", data: { a: 0, b: 0 } });
  await until(() => seen.filter((name) => name === "tick").length >= 3);
  await queue.removeJobScheduler("every");

  const children = [1, 2, 3].map((i) => ({ name: "child", queueName: "jobs", data: { a: i, b: i } }));
  const tree = await flows.add({ name: "parent", queueName: "jobs", data: { a: 5, b: 5 }, children });
  check((await result(tree.job)) === 10, "parent");
  const values = Object.values(await tree.job.getChildrenValues()).sort();
  check(JSON.stringify(values) === "[2,4,6]", "children");

  await queue.pause();
  await queue.add("paused", { a: 1, b: 1 });
  check(!seen.includes("paused"), "paused");
  await queue.resume();
  await until(() => seen.includes("paused"));

  await queue.obliterate({ force: true });
  for (const part of [worker, flows, events, queue]) await part.close();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
