import { fold, instant } from '#kernel';
import { scenariosOf } from '#testing';
import { designDecider, type DesignCommand } from './design.decider';
import type { DesignEvent } from './design.events';

const { given } = scenariosOf(designDecider);
const stamp = { at: instant('2026-04-22T12:00:00.000Z'), actor: 'usr_1' };
const of = { designId: 'dsg_1', clientId: 'client-9' };
const create: DesignCommand = { ...stamp, type: 'CreateDesign', ...of, name: null };
const submit: DesignCommand = { ...stamp, type: 'SubmitDesign' };
const approve: DesignCommand = { ...stamp, type: 'ApproveDesign', note: null };
const revise: DesignCommand = { ...stamp, type: 'RequestRevision', note: 'Bigger logo' };
const check = (...violations: string[]): DesignCommand => ({
  ...stamp,
  type: 'CheckCompliance',
  guidelines: ['logo'],
  violations,
  manualReview: false,
});
const created: DesignEvent = { type: 'DesignCreated', data: { ...of, name: null } };
const submitted = (revision: number): DesignEvent => ({ type: 'DesignSubmitted', data: { ...of, revision } });
const approved = (revision: number): DesignEvent => ({ type: 'DesignApproved', data: { ...of, revision, note: null } });
const revised = (revision: number): DesignEvent => ({
  type: 'DesignRevisionRequested',
  data: { ...of, revision, note: 'Bigger logo' },
});

describe('a design', () => {
  it('is created once', () => {
    given().when(create).then(created);
    given(created).when(create).fails('DESIGN_ALREADY_EXISTS');
  });
  it('is submitted as revision 1', () => given(created).when(submit).then(submitted(1)));
  it('counts a revision with each submission', () =>
    given(created, submitted(1), revised(1)).when(submit).then(submitted(2)));
  it('is approved as the revision it is', () =>
    given(created, submitted(1), revised(1), submitted(2)).when(approve).then(approved(2)));
  it('is sent back with a note', () => given(created, submitted(1)).when(revise).then(revised(1)));
  it('is not submitted while it is in review', () =>
    given(created, submitted(1)).when(submit).fails('DESIGN_NOT_SUBMITTABLE'));
  it('is not submitted once it is approved', () =>
    given(created, submitted(1), approved(1)).when(submit).fails('DESIGN_NOT_SUBMITTABLE'));
  it('is decided only in review', () => {
    for (const command of [approve, revise]) {
      given(created).when(command).fails('DESIGN_NOT_IN_REVIEW');
      given(created, submitted(1), revised(1)).when(command).fails('DESIGN_NOT_IN_REVIEW');
      given(created, submitted(1), approved(1)).when(command).fails('DESIGN_NOT_IN_REVIEW');
    }
  });
  it('shows the note of its last decision until it is submitted anew', () => {
    const shown = (...events: DesignEvent[]) => fold(designDecider, [created, submitted(1), ...events]);
    expect(shown(revised(1))).toMatchObject({ note: 'Bigger logo' });
    expect(shown(revised(1), submitted(2))).toMatchObject({ note: null });
    expect(shown({ type: 'DesignApproved', data: { ...of, revision: 1, note: 'Fine' } })).toMatchObject({
      note: 'Fine',
    });
  });
  it('must exist', () => {
    for (const command of [submit, approve, revise, check()]) given().when(command).fails('DESIGN_NOT_FOUND');
  });
});

describe('brand compliance', () => {
  const checked = { designId: 'dsg_1', guidelines: ['logo'], manualReview: false };
  it('holds without violations', () => given(created).when(check()).then({ type: 'BrandCompliant', data: checked }));
  it('is violated by any', () =>
    given(created, submitted(1))
      .when(check('too small'))
      .then({ type: 'BrandViolated', data: { ...checked, violations: ['too small'] } }));
  it('is shown as the last check found it', () => {
    const { guidelines, manualReview } = checked;
    const violated: DesignEvent = { type: 'BrandViolated', data: { ...checked, violations: ['too small'] } };
    const compliant: DesignEvent = { type: 'BrandCompliant', data: checked };
    expect(fold(designDecider, [created, compliant, violated])).toMatchObject({
      compliance: { guidelines, violations: ['too small'], manualReview },
    });
    expect(fold(designDecider, [created, violated, compliant])).toMatchObject({
      compliance: { guidelines, violations: [], manualReview },
    });
  });
});
