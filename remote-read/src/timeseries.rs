//! The message `TimeSeries` of types.proto, which remote read answers with and remote write 1.0 sends.

use crate::{
    BodyError,
    limits::Tally,
    uvarint,
    wire::{Message, bytes_len, put_bytes, put_header},
};
use series::{Labels, LabelsError, Sample, Series, Timestamp};

/// Bytes of the message.
pub(crate) fn len(series: &Series) -> usize {
    labels_len(&series.labels) + samples_len(&series.samples)
}

/// Bytes of labels as [`put_labels`] writes them.
pub(crate) fn labels_len(labels: &Labels) -> usize {
    let labels = labels.iter();
    labels
        .map(|(name, value)| bytes_len(label_len(name, value)))
        .sum()
}

fn label_len(name: &str, value: &str) -> usize {
    bytes_len(name.len()) + bytes_len(value.len())
}

/// Writes labels, sorted, each as a field 1; `Label` has its name in field 1 and its value in field 2.
pub(crate) fn put_labels(out: &mut Vec<u8>, labels: &Labels) {
    for (name, value) in labels.iter() {
        put_header(out, 1, label_len(name, value));
        put_bytes(out, 1, name.as_bytes());
        put_bytes(out, 2, value.as_bytes());
    }
}

/// Bytes of samples as [`put_samples`] writes them.
pub(crate) fn samples_len(samples: &[Sample]) -> usize {
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else {
        return 0;
    };
    let [shortest, longest] = [first, last].map(|sample| sample_len(sample.at));
    // Between times of one sign, the length never falls.
    if shortest == longest && is_ascending(samples) {
        return samples.len() * shortest;
    }
    samples.iter().map(|sample| sample_len(sample.at)).sum()
}

/// Bytes of one sample.
pub(crate) fn sample_len(at: Timestamp) -> usize {
    BEFORE_TIME + uvarint::len(at.as_millis().cast_unsigned())
}

/// Bytes before a value: key and length of the sample, key of the value.
pub(crate) const BEFORE_VALUE: usize = 3;
/// Those, the bits of the value, and the key of the time.
const BEFORE_TIME: usize = BEFORE_VALUE + 8 + 1;
const MAX_SAMPLE_BYTES: usize = BEFORE_TIME + uvarint::MAX_BYTES;

/// Writes samples, each as a field 2: the value, written even when it is zero, since left out, -0.0 would come
/// back as 0.0; and the time.
pub(crate) fn put_samples(out: &mut Vec<u8>, samples: &[Sample]) {
    out.reserve(samples.len() * MAX_SAMPLE_BYTES);
    for sample in samples {
        let mut bytes = [0; MAX_SAMPLE_BYTES];
        bytes[0] = 2 << 3 | 2;
        bytes[2] = 1 << 3 | 1;
        bytes[3..11].copy_from_slice(&sample.value.to_le_bytes());
        bytes[11] = 2 << 3;
        let mut end = BEFORE_TIME;
        uvarint::write(sample.at.as_millis().cast_unsigned(), |byte| {
            bytes[end] = byte;
            end += 1;
        });
        bytes[1] = (end - 2).to_le_bytes()[0];
        out.extend_from_slice(&bytes[..end]);
    }
}

/// Why a message is no series.
#[derive(Debug)]
pub(crate) enum SeriesFault {
    Body(BodyError),
    Labels(LabelsError),
    /// Samples of these labels are not in ascending order of time.
    Order(Labels),
}

/// Reads the message: labels in whatever order, samples in order. Histograms and exemplars are passed over.
pub(crate) fn read(mut series: Message, tally: &mut Tally) -> Result<Series, SeriesFault> {
    let (mut labels, mut samples) = (Vec::new(), Vec::new());
    while let Some(field) = series.next()? {
        match field.number {
            1 => {
                tally.label()?;
                labels.push(read_label(field.message("Label")?)?);
            }
            2 => {
                tally.samples(1)?;
                samples.push(read_sample(field.message("Sample")?)?);
            }
            _ => {}
        }
    }
    check_order(Labels::new(labels)?, samples)
}

/// Series whose samples are in order, or none.
pub(crate) fn check_order(labels: Labels, samples: Vec<Sample>) -> Result<Series, SeriesFault> {
    if is_ascending(&samples) {
        Ok(Series { labels, samples })
    } else {
        Err(SeriesFault::Order(labels))
    }
}

/// Whether each sample comes after the one before.
pub(crate) fn is_ascending(samples: &[Sample]) -> bool {
    samples.is_sorted_by(|one, next| one.at < next.at)
}

impl From<BodyError> for SeriesFault {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

impl From<LabelsError> for SeriesFault {
    fn from(error: LabelsError) -> Self {
        Self::Labels(error)
    }
}

/// Reads one `Label`.
pub(crate) fn read_label(mut label: Message<'_>) -> Result<(&str, &str), BodyError> {
    let (mut name, mut value) = ("", "");
    while let Some(field) = label.next()? {
        match field.number {
            1 => name = field.text()?,
            2 => value = field.text()?,
            _ => {}
        }
    }
    Ok((name, value))
}

/// Reads one `Sample`.
pub(crate) fn read_sample(mut sample: Message<'_>) -> Result<Sample, BodyError> {
    let (mut value, mut millis) = (0.0, 0);
    while let Some(field) = sample.next()? {
        match field.number {
            1 => value = field.double()?,
            2 => millis = field.int()?,
            _ => {}
        }
    }
    let at = Timestamp::from_millis(millis);
    Ok(Sample { at, value })
}
