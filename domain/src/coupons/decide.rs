//! How records of `coupon` are judged. Refusals of a claim come in this order: C006, C005, C003, C001.

use super::{
    Coupon, CouponChange, CouponKey, CouponOutcome, CouponTerms, Coupons, MAX_CAMPAIGN_NAME_CHARS,
    MAX_COUPON_NAME_CHARS, MAX_RATE_BP, Won,
};
use crate::{
    digest::DigestInput,
    fold::{Applied, Context, State, Verdict},
    header::Header,
    slot::Slot,
};
use schemas::{
    CouponId, Record, Topic, UserId,
    partition::of_id,
    records::{CampaignOpened, CouponClaimed, CouponClosed, CouponExtended, CouponOpened},
};
use std::sync::Arc;

type Judged = Result<Verdict<CouponOutcome>, Vec<CouponKey>>;

impl State for Coupons {
    const TOPIC: Topic = Topic::Coupon;
    type Outcome = CouponOutcome;
    type Key = CouponKey;
    type Change = CouponChange;

    fn decide(&self, context: Context<'_>, record: &Record) -> Judged {
        let outcome = match record {
            Record::CouponClaimed(record) => self.judge_claim(context, record)?,
            Record::CouponOpened(record) => self.judge_opening(record)?,
            Record::CouponExtended(record) => self.judge_extension(record)?,
            Record::CouponClosed(record) => self.judge_closing(record)?,
            Record::CampaignOpened(record) => self.judge_campaign(context, record)?,
            _ => None,
        };
        Ok(outcome.map_or(Verdict::Impossible, Verdict::Decided))
    }

    fn evolve(&mut self, _header: &mut Header, now_ms: i64, outcome: &CouponOutcome) {
        let opened = |terms: &Arc<CouponTerms>, total| Coupon {
            terms: terms.clone(),
            total,
            issued: 0,
            opened_at_ms: now_ms,
            closed_at_ms: None,
        };
        match outcome {
            CouponOutcome::Won(won) => {
                if let Some(id) = CouponId::new(won.coupon_id.into()) {
                    self.win(id, won.user_id, won.number);
                }
            }
            CouponOutcome::Opened { coupon_id, terms, total } => self.open(*coupon_id, opened(terms, *total)),
            CouponOutcome::Extended { coupon_id, total } => self.change(*coupon_id, |c| c.total = *total),
            CouponOutcome::Closed(id) => self.change(*id, |c| c.closed_at_ms = Some(now_ms)),
            CouponOutcome::CampaignOpened { campaign, coupon_id, terms, total, closes } => {
                if let Some(former) = closes {
                    self.change(*former, |c| c.closed_at_ms = Some(now_ms));
                }
                self.open(*coupon_id, opened(terms, *total));
                self.point(campaign, *coupon_id);
            }
            _ => {}
        }
    }

    fn changes(&self, at: Applied, outcome: &CouponOutcome, out: &mut Vec<CouponChange>) {
        let mut row = |id: CouponId| {
            if let Slot::Loaded(coupon) = self.coupon(id) {
                out.push(CouponChange::Coupon(id, coupon.clone()));
            }
        };
        match outcome {
            CouponOutcome::Won(won) => out.push(CouponChange::Won { won: *won, at_ms: at.now_ms }),
            CouponOutcome::Opened { coupon_id, .. } | CouponOutcome::Extended { coupon_id, .. } => {
                row(*coupon_id)
            }
            CouponOutcome::Closed(id) => row(*id),
            CouponOutcome::CampaignOpened { campaign, coupon_id, closes, .. } => {
                closes.iter().for_each(|former| row(*former));
                row(*coupon_id);
                out.push(CouponChange::Campaign { campaign: campaign.clone(), coupon_id: *coupon_id });
            }
            _ => {}
        }
    }

    fn digest(outcome: &CouponOutcome, begin: impl FnOnce(u8) -> DigestInput) -> u64 {
        let piece = |mut input: DigestInput, won: &Won| {
            input.u64(won.user_coupon_id()).u64(won.user_id.get()).u64(won.total.into()).finish()
        };
        let opened = |mut input: DigestInput, id: CouponId, terms: &CouponTerms, total: u32| {
            input.u64(id.get()).text(&terms.name).u64(total.into());
            input.u64(terms.rate_bp.into()).i64(terms.expires_at_ms);
            input
        };
        match outcome {
            CouponOutcome::Won(won) => piece(begin(64), won),
            CouponOutcome::NotFound => begin(65).finish(),
            CouponOutcome::AlreadyIssued(won) => piece(begin(66), won),
            CouponOutcome::Expired => begin(67).finish(),
            CouponOutcome::SoldOut => begin(68).finish(),
            CouponOutcome::Opened { coupon_id, terms, total } => {
                opened(begin(69), *coupon_id, terms, *total).finish()
            }
            CouponOutcome::Exists => begin(70).finish(),
            CouponOutcome::Extended { coupon_id, total } => {
                begin(71).u64(coupon_id.get()).u64((*total).into()).finish()
            }
            CouponOutcome::NotExtended => begin(72).finish(),
            CouponOutcome::Closed(id) => begin(73).u64(id.get()).finish(),
            CouponOutcome::AlreadyClosed => begin(74).finish(),
            CouponOutcome::CampaignOpened { campaign, coupon_id, terms, total, closes } => {
                let mut input = opened(begin(75), *coupon_id, terms, *total);
                input.text(campaign).u64(closes.map_or(0, CouponId::get)).finish()
            }
        }
    }
}

type Found = Result<Option<CouponOutcome>, Vec<CouponKey>>;

impl Coupons {
    fn judge_claim(&self, context: Context<'_>, record: &CouponClaimed) -> Found {
        let (Some(id), Some(user_id)) =
            (CouponId::from_wire(record.coupon_id), UserId::from_wire(record.user_id))
        else {
            return Ok(None);
        };
        let (coupon, claim) = match (self.coupon(id), self.claim(id, user_id)) {
            (Slot::NotLoaded, _) | (_, Slot::NotLoaded) => {
                return Err(self.keys_of_claim(id, user_id));
            }
            (Slot::Absent, _) => return Ok(Some(CouponOutcome::NotFound)),
            (Slot::Loaded(coupon), claim) => (coupon, claim),
        };
        let piece = |number| Won { user_id, coupon_id: id.get() as u32, number, total: coupon.total };
        Ok(Some(match claim.loaded() {
            Some(number) => CouponOutcome::AlreadyIssued(piece(number)),
            None if coupon.is_over(context.now_ms) => CouponOutcome::Expired,
            None if coupon.issued >= coupon.total => CouponOutcome::SoldOut,
            None => CouponOutcome::Won(piece(coupon.issued + 1)),
        }))
    }

    fn judge_opening(&self, record: &CouponOpened) -> Found {
        let (Some(coupon_id), Some((terms, total))) = (
            CouponId::from_wire(record.coupon_id),
            terms(&record.name, record.total, record.rate_bp, record.expires_at_ms),
        ) else {
            return Ok(None);
        };
        Ok(Some(match self.existing(coupon_id)? {
            Some(_) => CouponOutcome::Exists,
            None => CouponOutcome::Opened { coupon_id, terms, total },
        }))
    }

    fn judge_extension(&self, record: &CouponExtended) -> Found {
        let (Some(coupon_id), Ok(total)) =
            (CouponId::from_wire(record.coupon_id), u32::try_from(record.total))
        else {
            return Ok(None);
        };
        Ok(Some(match self.existing(coupon_id)? {
            None => CouponOutcome::NotFound,
            Some(coupon) if total > coupon.total => CouponOutcome::Extended { coupon_id, total },
            Some(_) => CouponOutcome::NotExtended,
        }))
    }

    fn judge_closing(&self, record: &CouponClosed) -> Found {
        let Some(coupon_id) = CouponId::from_wire(record.coupon_id) else {
            return Ok(None);
        };
        Ok(Some(match self.existing(coupon_id)? {
            None => CouponOutcome::NotFound,
            Some(coupon) if coupon.closed_at_ms.is_some() => CouponOutcome::AlreadyClosed,
            Some(_) => CouponOutcome::Closed(coupon_id),
        }))
    }

    fn judge_campaign(&self, context: Context<'_>, record: &CampaignOpened) -> Found {
        let (Some(coupon_id), Some((terms, total)), true) = (
            CouponId::from_wire(record.coupon_id),
            terms(&record.name, record.total, record.rate_bp, record.expires_at_ms),
            fits(&record.campaign, MAX_CAMPAIGN_NAME_CHARS),
        ) else {
            return Ok(None);
        };
        if of_id(record.coupon_id, Topic::Coupon) != context.partition {
            return Ok(None); // Its claims would go to another partition.
        }
        if self.existing(coupon_id)?.is_some() {
            return Ok(Some(CouponOutcome::Exists));
        }
        let former = match self.campaign(&record.campaign) {
            Slot::NotLoaded => return Err(vec![CouponKey::Campaign(record.campaign.clone())]),
            Slot::Loaded(former) => Some((former, self.existing(former)?)),
            Slot::Absent => None,
        };
        let closes = former
            .filter(|(_, coupon)| coupon.is_some_and(|coupon| coupon.closed_at_ms.is_none()))
            .map(|(former, _)| former);
        let campaign = Arc::from(record.campaign.as_str());
        Ok(Some(CouponOutcome::CampaignOpened { campaign, coupon_id, terms, total, closes }))
    }

    fn existing(&self, id: CouponId) -> Result<Option<&Coupon>, Vec<CouponKey>> {
        match self.coupon(id) {
            Slot::NotLoaded => Err(vec![CouponKey::Coupon(id)]),
            slot => Ok(slot.loaded()),
        }
    }
}

fn fits(text: &str, max_chars: usize) -> bool {
    !text.is_empty() && text.chars().count() <= max_chars
}

/// `None` where a value is out of its bounds.
fn terms(name: &str, total: i64, rate_bp: i32, expires_at_ms: i64) -> Option<(Arc<CouponTerms>, u32)> {
    let total = u32::try_from(total).ok()?;
    let rate_bp = u16::try_from(rate_bp).ok().filter(|rate| *rate <= MAX_RATE_BP)?;
    if !fits(name, MAX_COUPON_NAME_CHARS) || expires_at_ms < 0 {
        return None;
    }
    Some((Arc::new(CouponTerms { name: name.to_owned(), rate_bp, expires_at_ms }), total))
}
