//! `photon swap watch`: swaps as they go, until they have ended.

use super::client::{Client, EventTail, Heard};
use super::error::CliError;
use super::ids::short;
use super::table::{self, Style, clean};
use super::times::stamp;
use super::ui::{Redraw, Ui};
use crate::service::{SwapQuery, SwapView};
use std::collections::HashSet;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// The most that one screen follows.
const MAX_WATCHED: usize = 500;
/// Confirmations come without an event of their own.
const LOOK_EVERY: Duration = Duration::from_secs(3);
const REDRAW_EVERY: Duration = Duration::from_secs(1);
/// How long a node may be away before we give up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Follows `id`, or all that run and those that begin meanwhile.
pub(super) async fn run(client: &Client, ui: &mut Ui, id: Option<String>) -> Result<(), CliError> {
    // Listening begins first, so that nothing falls between the look and the first event.
    let mut heard = listen(client.events().await?);
    let mut watch =
        Watch { client, id, swaps: Vec::new(), shown: Vec::new(), screen: Redraw::default(), reached: Instant::now() };
    watch.look_anew().await?;
    if watch.swaps.is_empty() {
        return ui.answer(&watch.swaps, |_| "no swap is running".to_owned());
    }
    let mut look = interval(LOOK_EVERY);
    let mut redraw = interval(REDRAW_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    redraw.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        watch.show(ui)?;
        if watch.swaps.iter().all(|swap| swap.outcome.is_some()) {
            return watch.conclude();
        }
        tokio::select! {
            Some(next) = heard.recv() => watch.hear(next).await?,
            _ = look.tick() => watch.look_at_live().await?,
            _ = redraw.tick() => {}
        }
    }
}

/// What is heard, out of a task that reconnects by itself. It ends with the runtime, or when nobody listens.
fn listen(mut tail: EventTail) -> mpsc::Receiver<Heard> {
    let (say, heard) = mpsc::channel(256);
    tokio::spawn(async move {
        while let Ok(next) = tail.next().await {
            if say.send(next).await.is_err() {
                break;
            }
        }
    });
    heard
}

struct Watch<'c> {
    client: &'c Client,
    id: Option<String>,
    swaps: Vec<SwapView>,
    /// What each swap's last line said, where lines are written.
    shown: Vec<(String, String)>,
    screen: Redraw,
    /// When the node last answered.
    reached: Instant,
}

impl Watch<'_> {
    async fn hear(&mut self, heard: Heard) -> Result<(), CliError> {
        match heard {
            Heard::Again => self.look_anew().await,
            Heard::Event(event) if event.kind == "swap" => {
                let known = self.swaps.iter().any(|swap| swap.id == event.subject);
                if known || self.id.is_none() { self.look_at(vec![event.subject]).await } else { Ok(()) }
            }
            Heard::Event(_) => Ok(()),
        }
    }

    async fn look_anew(&mut self) -> Result<(), CliError> {
        let mut ids: Vec<String> = self.swaps.iter().map(|swap| swap.id.clone()).collect();
        match &self.id {
            Some(id) => ids.push(id.clone()),
            None => ids.extend(self.live().await?),
        }
        let mut seen = HashSet::new();
        ids.retain(|id| seen.insert(id.clone()));
        self.look_at(ids).await
    }

    /// Oldest first, so that new ones come below.
    async fn live(&mut self) -> Result<Vec<String>, CliError> {
        let mut query = SwapQuery { state: Some("live".to_owned()), limit: Some(200), ..SwapQuery::default() };
        let mut ids = Vec::new();
        while ids.len() < MAX_WATCHED {
            let page = self.client.swaps(&query).await;
            let Some(page) = self.patient(page)? else { break };
            ids.extend(page.swaps.into_iter().map(|swap| swap.id));
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
        ids.reverse();
        Ok(ids)
    }

    async fn look_at_live(&mut self) -> Result<(), CliError> {
        let live = self.swaps.iter().filter(|swap| swap.outcome.is_none()).map(|swap| swap.id.clone()).collect();
        self.look_at(live).await
    }

    async fn look_at(&mut self, ids: Vec<String>) -> Result<(), CliError> {
        for id in ids {
            let swap = self.client.swap(&id).await;
            let Some(swap) = self.patient(swap)? else { return Ok(()) };
            let room = self.swaps.len() < MAX_WATCHED;
            match self.swaps.iter_mut().find(|known| known.id == id) {
                Some(known) => *known = swap,
                None if room => self.swaps.push(swap),
                None => {}
            }
        }
        Ok(())
    }

    /// A node that restarts is waited for; what was seen last stays shown.
    fn patient<T>(&mut self, answer: Result<T, CliError>) -> Result<Option<T>, CliError> {
        match answer {
            Ok(answer) => {
                self.reached = Instant::now();
                Ok(Some(answer))
            }
            Err(CliError::Unreachable { .. }) if self.reached.elapsed() < PATIENCE && !self.swaps.is_empty() => Ok(None),
            Err(CliError::Problem(problem)) if problem.status == 503 && self.reached.elapsed() < PATIENCE => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn show(&mut self, ui: &mut Ui) -> Result<(), CliError> {
        if ui.terminal && !ui.json {
            let style = Style { width: Style::terminal_width(), ..ui.style };
            let text = table::swaps(&self.swaps, (ui.now)(), style);
            let away = self.reached.elapsed() > 2 * LOOK_EVERY;
            let foot = if away { "the node does not answer; waiting for it" } else { "Ctrl-C ends the watch, not the swaps" };
            return ui.redraw(&mut self.screen, &format!("{text}\n{foot}"));
        }
        for swap in &self.swaps {
            let line = if ui.json { as_json(swap)? } else { as_line(swap) };
            match self.shown.iter_mut().find(|(id, _)| *id == swap.id) {
                Some((_, shown)) if *shown == line => continue,
                Some((_, shown)) => shown.clone_from(&line),
                None => self.shown.push((swap.id.clone(), line.clone())),
            }
            if ui.json { ui.line(&line)? } else { ui.line(&format!("{} {line}", stamp((ui.now)())))? }
        }
        Ok(())
    }

    fn conclude(&self) -> Result<(), CliError> {
        let other = self.swaps.iter().filter(|swap| swap.outcome.as_deref() != Some("completed")).count();
        match other {
            0 => Ok(()),
            other => Err(CliError::Failed(format!("{other} of {} did not complete", self.swaps.len()))),
        }
    }
}

fn as_json(swap: &SwapView) -> Result<String, CliError> {
    serde_json::to_string(swap).map_err(|error| CliError::Failed(error.to_string()))
}

/// One line without times that run on, so that it changes only when the swap does.
fn as_line(swap: &SwapView) -> String {
    let mut line = format!("{} {} {} {}", short(&swap.id), table::pair(swap), swap.role, swap.phase);
    for leg in &swap.legs {
        line += &format!(" {}={}", leg.leg, table::leg_text(leg).replace(' ', ":"));
    }
    if let Some(trouble) = &swap.trouble {
        line += &format!(" trouble: {trouble}");
    }
    clean(&line)
}
