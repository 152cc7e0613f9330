/** The polling script of `seeds/posteverywhere-webhooks.txt`, as published; the tests change its URL, key and post id alone. */
export const POLLING_SCRIPT = `const API_KEY = "pe_live_abc123...";
const BASE_URL = "https://app.posteverywhere.ai/api/v1";

async function waitForResults(postId, timeoutMs = 300000) {
const startTime = Date.now();
const pollInterval = 10000; // 10 seconds

while (Date.now() - startTime < timeoutMs) {
const response = await fetch(\`\${BASE_URL}/posts/\${postId}/results\`, {
headers: { Authorization: \`Bearer \${API_KEY}\` },
});

const data = await response.json();

// Check if all destinations have a final status
const allComplete = data.destinations.every(
(d) => d.status === "published" || d.status === "failed"
);

if (allComplete) {
return data;
}

// Wait before polling again
await new Promise((resolve) => setTimeout(resolve, pollInterval));
}

throw new Error(\`Timed out waiting for post \${postId} results\`);
}

// Usage
const results = await waitForResults("post_abc123");

for (const dest of results.destinations) {
if (dest.status === "published") {
console.log(\`Published to \${dest.platform}: \${dest.url}\`);
} else {
console.log(\`Failed on \${dest.platform}: \${dest.error}\`);
}
}
`;

/** Loaded before it: a process to which the script's ten seconds between two looks are a tenth of one. */
export const HURRY = `const wait = setTimeout;
globalThis.setTimeout = (then, ms, ...more) => wait(then, ms === 10_000 ? 100 : ms, ...more);
`;
