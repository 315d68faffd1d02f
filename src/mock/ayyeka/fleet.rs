//! What the mock knows of: sites, their streams, the samples of those, and how far a client has got with them.

use super::date::rfc3339;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Samples in one answer, as documented.
const LONGEST_BATCH: usize = 10_000;

/// All of it.
#[derive(Deserialize, Serialize)]
pub(super) struct Fleet {
    sites: Vec<Site>,
    streams: Vec<Stream>,
    samples: Vec<Sample>,
    /// The sample that a client last said to have received.
    acknowledged: i64,
    batch_size: usize,
}

/// A place where something is measured.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct Site {
    id: i64,
    created: i64,
    name: String,
    latitude: String,
    longitude: String,
}

/// One quantity that is measured at a site.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct Stream {
    id: i64,
    site: i64,
    created: i64,
    kind: i64,
    kind_name: String,
    units: String,
}

/// What was measured at one moment. The value is text, as in answers.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct Sample {
    pub(super) id: i64,
    stream: i64,
    pub(super) at: i64,
    value: String,
}

/// Whose samples are asked for.
#[derive(Clone, Copy)]
pub(super) enum Of {
    Site(i64),
    Stream(i64),
    All,
}

impl Fleet {
    /// Two sites with two streams each, and the samples of the day before `now`, every quarter of an hour.
    pub(super) fn new(now: i64) -> Self {
        let mut fleet = Self {
            sites: Vec::new(),
            streams: Vec::new(),
            samples: Vec::new(),
            acknowledged: 0,
            batch_size: LONGEST_BATCH,
        };
        for (id, name, latitude, longitude) in [
            (1, "Upper reservoir", "47.3769", "8.5417"),
            (2, "Mill street pumping station", "47.3667", "8.5500"),
        ] {
            let [name, latitude, longitude] = [name, latitude, longitude].map(str::to_owned);
            fleet.sites.push(Site { id, created: now, name, latitude, longitude });
            for (offset, kind, kind_name, units) in [(1, 13, "Pressure", "bar"), (2, 14, "Flow", "m³/h")] {
                let [kind_name, units] = [kind_name, units].map(str::to_owned);
                let stream =
                    Stream { id: (id - 1) * 2 + offset, site: id, created: now, kind, kind_name, units };
                fleet.streams.push(stream);
            }
        }
        for quarter in 0..96 {
            for stream in 1..=4 {
                let value = format!("{}.{:04}", 2 + quarter % 5, (quarter * 89 + stream) % 10_000);
                fleet.add_sample(stream, now - (95 - quarter) * 900, &value);
            }
        }
        fleet
    }

    pub(super) fn add_sample(&mut self, stream: i64, at: i64, value: &str) -> i64 {
        let id = self.samples.last().map_or(1, |last| last.id + 1);
        self.samples.push(Sample { id, stream, at, value: value.to_owned() });
        id
    }

    pub(super) const fn set_batch_size(&mut self, samples: usize) {
        self.batch_size = samples;
    }

    pub(super) const fn acknowledged(&self) -> i64 {
        self.acknowledged
    }

    pub(super) const fn acknowledge(&mut self, sample: i64) {
        self.acknowledged = sample;
    }

    pub(super) fn sites(&self) -> &[Site] {
        &self.sites
    }

    pub(super) fn site(&self, id: i64) -> Option<&Site> {
        self.sites.iter().find(|site| site.id == id)
    }

    pub(super) fn streams(&self, site: Option<i64>) -> impl Iterator<Item = &Stream> {
        self.streams.iter().filter(move |stream| site.is_none_or(|site| stream.site == site))
    }

    pub(super) fn stream(&self, id: i64) -> Option<&Stream> {
        self.streams.iter().find(|stream| stream.id == id)
    }

    /// The samples of these, in the order of their identifiers.
    pub(super) fn samples(&self, of: Of) -> impl DoubleEndedIterator<Item = &Sample> {
        self.samples.iter().filter(move |sample| match of {
            Of::Stream(id) => sample.stream == id,
            Of::Site(id) => self.stream(sample.stream).is_some_and(|stream| stream.site == id),
            Of::All => true,
        })
    }

    /// An answer with as many of these samples as fit.
    pub(super) fn batch<'s>(&self, samples: impl Iterator<Item = &'s Sample>, limit: usize) -> Batch {
        let limit = limit.min(self.batch_size);
        let mut samples: Vec<_> = samples.take(limit + 1).cloned().collect();
        let has_more = samples.len() > limit;
        samples.truncate(limit);
        Batch { has_more, samples }
    }
}

/// Samples, and whether there are more of them.
pub(super) struct Batch {
    has_more: bool,
    pub(super) samples: Vec<Sample>,
}

impl Batch {
    pub(super) fn show(&self) -> Value {
        json!({ "hasMore": self.has_more, "samples": self.samples.iter().map(Sample::show).collect::<Vec<_>>() })
    }
}

impl Site {
    pub(super) fn show(&self) -> Value {
        json!({
            "id": self.id,
            "creation_date": rfc3339(self.created),
            "display_name": self.name,
            "status": "Active",
            "longitude": self.longitude,
            "latitude": self.latitude,
        })
    }
}

impl Stream {
    pub(super) fn show(&self) -> Value {
        json!({
            "id": self.id,
            "site_id": self.site,
            "creation_date": rfc3339(self.created),
            "display_name": format!("{} measurement", self.kind_name),
            "status_id": 1,
            "type_id": self.kind,
            "type_display_name": self.kind_name,
            "units": self.units,
            "value_scale": "4",
        })
    }
}

impl Sample {
    pub(super) fn show(&self) -> Value {
        json!({
            "id": self.id,
            "stream_id": self.stream,
            "sample_date": rfc3339(self.at),
            "value": self.value,
        })
    }
}
