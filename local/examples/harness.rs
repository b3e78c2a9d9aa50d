#![allow(warnings)]
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::collections::HashMap;
use axum::body::Body;
use futures_util::future::BoxFuture;
use http_body_util::BodyExt;
use local::{gateway::Gateway, model::Model, phone::*, steps::Steps};
use serde_json::{Value, json};
use tower::ServiceExt;
use tracing_subscriber::layer::SubscriberExt;

struct W { gw: Gateway, model: Model, pend: Mutex<HashMap<String, Vec<(String,String)>>>, turns: Mutex<u64>, delayed: Mutex<Vec<tokio::time::Instant>>, inflight: Mutex<u64> }
fn conv(bot:&str,c:&str)->String{ format!("{:0>16}", c.chars().rev().take(12).collect::<String>()) }
async fn post(r: axum::Router, path:&str, h:(&str,&str), b:Value)->Value{
  let q=axum::http::Request::post(path).header(h.0,h.1).body(Body::from(b.to_string())).unwrap();
  let r=r.oneshot(q).await.unwrap(); serde_json::from_slice(&r.into_body().collect().await.unwrap().to_bytes()).unwrap()
}
struct D(Arc<W>);
impl Deliver for D {
  fn deliver(&self, bot:&str, body: Value)->BoxFuture<'_,(u16,String)>{
    let w=self.0.clone(); let bot=bot.to_owned();
    Box::pin(async move {
      let i=&body["event"]["Info"]; let phone=i["Chat"].as_str().unwrap().split('@').next().unwrap().to_owned();
      let mid=i["ID"].as_str().unwrap().to_owned(); let text=body["event"]["Message"]["conversation"].as_str().unwrap().to_owned();
      let c=conv(&bot,&phone);
      if text=="503" { return (503,"{}".into()); }
      tracing::info!(step="trigger_sent", conversation=%c, delay_seconds=3, "trigger sent");
      tracing::info!(step="stored", conversation=%c, "stored");
      w.pend.lock().unwrap().entry(c.clone()).or_default().push((mid.clone(),text));
      w.delayed.lock().unwrap().push(tokio::time::Instant::now()+Duration::from_secs(3));
      let w2=w.clone();
      tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(3)).await;
        w2.delayed.lock().unwrap().remove(0);
        let b={ let mut p=w2.pend.lock().unwrap(); let v=p.get_mut(&c).unwrap();
          if v.last().map(|x|&x.0)!=Some(&mid) { None } else { Some(std::mem::take(v)) } };
        let Some(b)=b else { tracing::info!(step="superseded", conversation=%c, "superseded"); return; };
        *w2.inflight.lock().unwrap()+=1;
        let t={let mut t=w2.turns.lock().unwrap(); *t+=1; *t};
        tracing::info!(step="claimed", conversation=%c, turn=t, fence=t, burst_size=b.len(), attempt=1, "claimed");
        let ids:Vec<_>=b.iter().map(|x|x.0.clone()).collect();
        post(w2.gw.router(),"/chat/markread",("token","t"),json!({"Id":ids,"Chat":phone})).await;
        post(w2.gw.router(),"/chat/presence",("token","t"),json!({"Phone":phone,"State":"composing"})).await;
        tracing::info!(step="asked", conversation=%c, turn=t, attempt=1, model="clivy/model-demo", "asked");
        let bots: toml::Value=toml::from_str(include_str!("../demo.toml")).unwrap();
        let docs=bots["bot"][0]["document"].as_array().unwrap().iter().map(|d|format!("[{} - {}]\n{}",d["kind"].as_str().unwrap(),d["title"].as_str().unwrap(),d["content"].as_str().unwrap())).collect::<Vec<_>>().join("\n\n");
        let burst=b.iter().map(|x|x.1.clone()).collect::<Vec<_>>().join("\n");
        let a=post(w2.model.router(),"/chat/completions",("authorization","Bearer x"),json!({"messages":[{"role":"system","content":docs},{"role":"user","content":burst}]})).await;
        let text=a["choices"][0]["message"]["content"].as_str().unwrap().replace("**","*");
        if burst.contains("gagal") { tracing::info!(step="llm_failed", conversation=%c, turn=t, error_class="retry", status=503, "x"); tracing::info!(step="fallback", conversation=%c, turn=t, reason="attempts_used_up","x"); }
        tracing::info!(step="answered", conversation=%c, turn=t, llm_latency_ms=912, tokens_in=a["usage"]["prompt_tokens"].as_u64(), tokens_out=a["usage"]["completion_tokens"].as_u64(), cost_usd=a["usage"]["cost"].as_f64(), model="clivy/model-demo", "answered");
        tokio::time::sleep(Duration::from_millis(40)).await;
        tracing::info!(step="drafted", conversation=%c, turn=t, "drafted");
        post(w2.gw.router(),"/chat/send/text",("token","t"),json!({"Phone":phone,"Body":text,"Id":format!("R{t}")})).await;
        post(w2.gw.router(),"/chat/presence",("token","t"),json!({"Phone":phone,"State":"paused"})).await;
        tracing::info!(step="sent", conversation=%c, turn=t, "sent");
        tracing::info!(step="committed", conversation=%c, turn=t, "committed");
        *w2.inflight.lock().unwrap()-=1;
      });
      (200, json!({"status":"queued","message_id":"x"}).to_string())
    })
  }
}
#[tokio::main]
async fn main(){
  let steps=Steps::new();
  tracing::subscriber::set_global_default(tracing_subscriber::registry().with(steps.layer())).unwrap();
  let w=Arc::new(W{gw:Gateway::new(vec!["t".into()]),model:Model::new(Duration::from_millis(900)),pend:Default::default(),turns:Default::default(),delayed:Default::default(),inflight:Default::default()});
  let w3=w.clone();
  let r=router(PhoneState{steps,gateway:w.gw.clone(),bot_ids:vec!["demo".into()],deliver:Arc::new(D(w.clone())),
    status:Arc::new(move||{let d=w3.delayed.lock().unwrap(); let now=tokio::time::Instant::now(); json!({"queue":{"visible":0,"in_flight":*w3.inflight.lock().unwrap(),"delayed":d.len(),"triggers":d.iter().map(|x|json!({"due_in_ms":(*x-now).as_millis() as i64,"state":"delayed","receive_count":0})).collect::<Vec<_>>()},"dlq":{"visible":0}})}),
    conversation_of:Arc::new(conv)});
  let l=tokio::net::TcpListener::bind("127.0.0.1:8079").await.unwrap();
  let end=tokio::time::sleep(Duration::from_secs(3000));
  tokio::select!{ _=axum::serve(l,r)=>{}, _=end=>{} }
}
