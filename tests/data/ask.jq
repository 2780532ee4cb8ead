# The next request of a plan: asks $ask of each answer.
{custom_id, url: "/v1/chat/completions", body: {model: "gpt-4o-mini", messages: [
  {role: "system", content: $ask},
  {role: "user", content: .response.body.choices[0].message.content}]}}
